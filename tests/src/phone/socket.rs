//! A WebSocket as a separate task, so that sending never blocks receiving.

use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tourismo_core::wire::MAX_MESSAGE_BYTES;

/// An event of a socket. [`SocketEvent::Closed`] is the last.
#[derive(Debug)]
pub(super) enum SocketEvent {
    Opened,
    Message(Vec<u8>),
    /// It could not be opened, or it is closed; with a reason for people.
    Closed(String),
}

/// A socket that is being opened or is open. Dropping it closes it.
///
/// The protocol bounds both queues: four pushes one way, requested data the other way.
#[derive(Debug)]
pub(super) struct Socket {
    outgoing: UnboundedSender<Vec<u8>>,
    events: UnboundedReceiver<SocketEvent>,
}

impl Socket {
    pub(super) fn open(url: String) -> Socket {
        let (outgoing, to_send) = unbounded_channel();
        let (report, events) = unbounded_channel();
        tokio::spawn(async move {
            let reason = run(&url, to_send, &report).await;
            // The phone may have dropped the socket.
            let _ = report.send(SocketEvent::Closed(reason));
        });
        Socket { outgoing, events }
    }

    pub(super) fn send(&self, bytes: Vec<u8>) {
        // The last event tells that the socket is closed.
        let _ = self.outgoing.send(bytes);
    }

    pub(super) async fn next(&mut self) -> SocketEvent {
        self.events.recv().await.unwrap_or_else(|| SocketEvent::Closed("the socket's task ended".to_owned()))
    }
}

async fn run(url: &str, mut to_send: UnboundedReceiver<Vec<u8>>, report: &UnboundedSender<SocketEvent>) -> String {
    let limits =
        WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE_BYTES)).max_frame_size(Some(MAX_MESSAGE_BYTES));
    let stream = match connect_async_with_config(url, Some(limits), true).await {
        Ok((stream, _)) => stream,
        Err(error) => return error.to_string(),
    };
    if report.send(SocketEvent::Opened).is_err() {
        return String::new();
    }
    let (mut sink, mut stream) = stream.split();
    let write = async {
        while let Some(bytes) = to_send.recv().await {
            if let Err(error) = sink.send(Message::Binary(bytes.into())).await {
                return error.to_string();
            }
        }
        // The phone dropped the socket, so the close frame need not arrive.
        let _ = sink.close().await;
        String::new()
    };
    let read = async {
        while let Some(frame) = stream.next().await {
            match frame {
                Ok(Message::Binary(bytes)) => {
                    if report.send(SocketEvent::Message(bytes.into())).is_err() {
                        return String::new();
                    }
                }
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                Ok(Message::Text(_)) => return "the other side speaks another protocol".to_owned(),
                Ok(Message::Close(_)) => return "the relay closed the connection".to_owned(),
                Err(error) => return error.to_string(),
            }
        }
        "the connection was cut".to_owned()
    };
    tokio::select! {
        reason = write => reason,
        reason = read => reason,
    }
}
