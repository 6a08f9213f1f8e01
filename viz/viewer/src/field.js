// The field socket: asks for a frame, unpacks it, hands it on, asks for the next one once it is painted.

async function unzip(buffer) {
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** Take a frame apart: header length (u32 big-endian), gzip of JSON, gzip of the twice differenced texture. */
export async function decodeFrame(buffer) {
  const length = new DataView(buffer).getUint32(0);
  const header = JSON.parse(new TextDecoder().decode(await unzip(buffer.slice(4, 4 + length))));
  if (header.type !== "field") return { header, texture: null };
  const texture = new Uint8Array(await unzip(buffer.slice(4 + length)));
  const [width, height] = header.shape;
  for (let start = 0; start < texture.length; start += width * height) {
    const end = start + width * height;
    for (let i = start + width; i < end; i += 1) texture[i] += texture[i - width];
    for (let row = start; row < end; row += width) {
      for (let i = row + 1; i < row + width; i += 1) texture[i] += texture[i - 1];
    }
  }
  return { header, texture };
}

export const SILENCE = 3500; // ms without a word from the server, which gives a sign of life every second
const PATIENCE = 2 * SILENCE; // then the connection is dead, whatever the browser holds of it
const OPENING = 10000; // ms that a connection may take to open
const FAULT_PAUSE = 1000; // ms before asking again after a frame that could not be shown

/** Keeps a WebSocket to the server; `onFrame(header, texture, bytes)` may return a promise of "painted". */
export class FieldSocket {
  constructor({ url, wantsField, onOpen, onFrame, onLost }) {
    Object.assign(this, { url, wantsField, onOpen, onFrame, onLost });
    this.after = -1;
    this.pause = 500;
    this.connect();
  }

  connect() {
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.expect(socket, OPENING);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.pause = 500;
      this.after = -1; // a restarted server counts anew
      this.onOpen();
      this.ask(socket);
    };
    socket.onmessage = async (event) => {
      clearTimeout(this.deadline);
      let pause = FAULT_PAUSE;
      try { // a fault in one frame must not end the stream
        const { header, texture } = await decodeFrame(event.data);
        if (socket !== this.socket) return;
        this.after = header.number;
        await this.onFrame(header, texture, event.data.byteLength);
        pause = 0;
      } finally {
        if (pause) setTimeout(() => this.ask(socket), pause);
        else this.ask(socket);
      }
    };
    socket.onclose = () => this.lose(socket);
  }

  /** Give the socket up unless it speaks in time: a half-open one never says that it is closed. */
  expect(socket, patience) {
    clearTimeout(this.deadline);
    this.deadline = setTimeout(() => this.lose(socket), patience);
  }

  lose(socket) {
    if (socket !== this.socket) return;
    this.socket = null;
    clearTimeout(this.deadline);
    socket.close();
    this.onLost();
    setTimeout(() => this.connect(), this.pause);
    this.pause = Math.min(this.pause * 1.6, 5000);
  }

  ask(socket) {
    if (socket !== this.socket || socket.readyState !== WebSocket.OPEN) return;
    this.expect(socket, PATIENCE);
    socket.send(JSON.stringify({ after: this.after, field: this.wantsField() }));
  }
}
