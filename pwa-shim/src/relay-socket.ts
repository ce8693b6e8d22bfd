// The one WebSocket to the relay. It carries binary messages and knows nothing of what they say.

export interface RelaySocket {
  connect(): void;
  send(bytes: Uint8Array): void;
  disconnect(): void;
}

export interface SocketEvents {
  /** It is open, and leads to this origin: `https://relay.example` for `wss://relay.example/v1/sync`. */
  connected(origin: string): void;
  received(bytes: Uint8Array): void;
  /** It could not be opened or was closed by anyone but `disconnect`. */
  disconnected(): void;
}

/** Makes a socket that reports to `events`. */
export type OpenSocket = (events: SocketEvents) => RelaySocket;

/**
 * The origin to which a WebSocket was opened, as pages and relays write it (RFC 6454). It is what this device dialled, never
 * what the relay says of itself: signatures are good there only.
 */
export function originOf(socket: { readonly url: string }): string {
  return new URL(socket.url.replace(/^ws/, "http")).origin;
}

/** The socket at `url`, over a `WebSocket` of the browser's. */
export function webSocketTo(url: string): OpenSocket {
  return (events) => {
    let socket: WebSocket | undefined;

    function drop(): void {
      const dropped = socket;
      socket = undefined;
      dropped?.close();
    }

    return {
      connect(): void {
        drop();
        let opening: WebSocket;
        try {
          opening = new WebSocket(url);
        } catch {
          // Asynchronously, as a failure to connect would come.
          queueMicrotask(() => events.disconnected());
          return;
        }
        opening.binaryType = "arraybuffer";
        // What a replaced socket still says concerns nobody.
        const whileCurrent = (act: () => void): void => {
          if (socket === opening) act();
        };
        opening.onopen = () => whileCurrent(() => events.connected(originOf(opening)));
        opening.onmessage = (message: MessageEvent<unknown>) =>
          whileCurrent(() => {
            if (message.data instanceof ArrayBuffer) events.received(new Uint8Array(message.data));
          });
        opening.onclose = () =>
          whileCurrent(() => {
            socket = undefined;
            events.disconnected();
          });
        socket = opening;
      },

      send(bytes): void {
        if (socket?.readyState === WebSocket.OPEN) socket.send(bytes.slice());
      },

      disconnect: drop,
    };
  };
}
