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
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.pause = 500;
      this.after = -1; // a restarted server counts anew
      this.onOpen();
      this.ask(socket);
    };
    socket.onmessage = async (event) => {
      const { header, texture } = await decodeFrame(event.data);
      this.after = header.number;
      try {
        await this.onFrame(header, texture, event.data.byteLength);
      } finally {
        this.ask(socket); // a fault in one frame must not end the stream
      }
    };
    socket.onclose = () => {
      this.onLost();
      setTimeout(() => this.connect(), this.pause);
      this.pause = Math.min(this.pause * 1.6, 5000);
    };
  }

  ask(socket) {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(JSON.stringify({ after: this.after, field: this.wantsField() }));
  }
}
