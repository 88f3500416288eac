'use strict';

// Clients and servers of ws, told what to do and telling what happens.
//
//   node ws_peer.js FOLDER      FOLDER: where node_modules/ws is
//
// A line of JSON in is a command {op, id, ...}, a line of JSON out is an event {event, id, ...}. The id of a
// connection or of a server is chosen by who asks for it; connections of a server are called "SERVER/NUMBER".
// Payloads are {text} or {binary: base64}.

const path = require('path');
const readline = require('readline');
const { createServer } = require('http');
const { WebSocket, WebSocketServer } = require(path.join(process.argv[2], 'node_modules', 'ws'));

const sockets = new Map();
const servers = new Map();

function tell(event, id, more) {
  process.stdout.write(JSON.stringify({ event, id, ...more }) + '\n');
}

function watch(id, socket) {
  sockets.set(id, socket);
  socket.on('message', (data, binary) =>
    tell('message', id, binary ? { binary: data.toString('base64') } : { text: data.toString() })
  );
  socket.on('pong', (data) => tell('pong', id, { binary: data.toString('base64') }));
  socket.on('close', (code, reason) => {
    sockets.delete(id);
    tell('closed', id, { code, reason: reason.toString() });
  });
  socket.on('error', () => {}); // 'close' follows
}

function opened(id, socket, server) {
  tell('open', id, { server, protocol: socket.protocol, extensions: socket.extensions });
}

function connect({ id, url, protocols, origin, deflate, limit, authorities }) {
  const options = { perMessageDeflate: deflate, maxPayload: limit, ca: authorities, headers: {} };
  if (origin !== null) options.headers.origin = origin;
  const socket = new WebSocket(url, protocols, options);
  let decided = false;
  socket.on('unexpected-response', (request, response) => {
    decided = true;
    const pieces = [];
    response.on('data', (piece) => pieces.push(piece));
    response.on('end', () =>
      tell('refused', id, {
        status: response.statusCode,
        headers: response.headers,
        binary: Buffer.concat(pieces).toString('base64')
      })
    );
  });
  socket.on('error', (error) => {
    if (!decided) tell('failed', id, { code: error.code || '', text: error.message });
    decided = true;
  });
  socket.on('open', () => {
    decided = true;
    opened(id, socket);
  });
  watch(id, socket);
}

function serve({ id, protocols, limit, refusal }) {
  let count = 0;
  const web = createServer();
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: limit,
    perMessageDeflate: { threshold: 0 },
    handleProtocols: (offered) => [...offered].find((name) => protocols.includes(name)) || false
  });
  web.on('upgrade', (request, stream, head) => {
    if (refusal) {
      stream.on('error', () => {}); // the client may leave as soon as it has read enough
      const body = Buffer.from(refusal.binary, 'base64');
      const lines = [`HTTP/1.1 ${refusal.status} No`, refusal.header.join(': '), `Content-Length: ${body.length}`];
      stream.end(Buffer.concat([Buffer.from(lines.join('\r\n') + '\r\n\r\n'), body]));
      return;
    }
    server.handleUpgrade(request, stream, head, (socket) => {
      const name = `${id}/${++count}`;
      watch(name, socket);
      opened(name, socket, id);
    });
  });
  servers.set(id, web);
  web.listen(0, '127.0.0.1', () => tell('listening', id, { port: web.address().port }));
}

const commands = {
  connect,
  serve,
  stop({ id }) {
    servers.get(id).close(() => tell('stopped', id));
    servers.delete(id);
  },
  send({ id, parts }) {
    const socket = sockets.get(id);
    parts.forEach((part, number) => {
      const binary = part.binary !== undefined;
      const data = binary ? Buffer.from(part.binary, 'base64') : part.text;
      if (socket) socket.send(data, { binary, fin: number === parts.length - 1 }, () => {});
    });
    tell('sent', id); // what comes next cannot overtake it
  },
  ping({ id, binary }) {
    if (sockets.has(id)) sockets.get(id).ping(Buffer.from(binary, 'base64'));
  },
  pong({ id, binary }) {
    if (sockets.has(id)) sockets.get(id).pong(Buffer.from(binary, 'base64'));
  },
  close({ id, code, reason }) {
    if (sockets.has(id)) sockets.get(id).close(code, reason);
  }
};

readline
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line);
    commands[command.op](command);
  })
  .on('close', () => process.exit(0));
