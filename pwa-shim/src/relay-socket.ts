// The WebSocket to the relay. It carries binary messages and does not read them.

export interface RelaySocket {
  connect(): void;
  send(bytes: Uint8Array): void;
  disconnect(): void;
}

export interface SocketEvents {
  /** The socket is open. `origin` is that of its URL: `https://relay.example` for `wss://relay.example/v1/sync`. */
  connected(origin: string): void;
  received(bytes: Uint8Array): void;
  /** The socket could not be opened, or was closed by anything but `disconnect`. */
  disconnected(): void;
  /** The handshake failed. `isAnswering`: the relay answers HTTP requests, so that it or a proxy refused the handshake. */
  handshakeFailed(isAnswering: boolean): void;
}

/** Makes a socket that reports to `events`. */
export type OpenSocket = (events: SocketEvents) => RelaySocket;

/**
 * The origin of the URL of a WebSocket (RFC 6454). Signatures are valid only there, so that it must be the dialled origin and
 * never one that the relay sends.
 */
export function originOf(socket: { readonly url: string }): string {
  return new URL(socket.url.replace(/^ws/, "http")).origin;
}

/** How long the relay may take to answer after a failed handshake. */
const HEALTH_TIMEOUT_MS = 5_000;

/** Whether the relay answers HTTP requests. A browser does not tell why a WebSocket handshake failed. */
async function isAnswering(origin: string): Promise<boolean> {
  try {
    const options = { cache: "no-store", signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) } as const;
    return (await fetch(`${origin}/v1/health`, options)).ok;
  } catch {
    return false;
  }
}

/** A socket to `url` over the `WebSocket` of the browser. */
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
          // Asynchronous, like a failure to connect.
          queueMicrotask(() => events.disconnected());
          return;
        }
        opening.binaryType = "arraybuffer";
        // Events of a replaced socket are ignored.
        const whileCurrent = (act: () => void): void => {
          if (socket === opening) act();
        };
        let wasOpen = false;
        opening.onopen = () =>
          whileCurrent(() => {
            wasOpen = true;
            events.connected(originOf(opening));
          });
        opening.onmessage = (message: MessageEvent<unknown>) =>
          whileCurrent(() => {
            if (message.data instanceof ArrayBuffer) events.received(new Uint8Array(message.data));
          });
        opening.onclose = () =>
          whileCurrent(() => {
            socket = undefined;
            events.disconnected();
            if (!wasOpen) void isAnswering(originOf(opening)).then(events.handshakeFailed);
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
