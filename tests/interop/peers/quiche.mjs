// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Cloudflare's quiche, through the raw binding of the npm package @matrixai/quic, as a peer that speaks
// hq-interop.
//   node quiche.mjs server HOST PORT WWW KEY CERT [--retry]
//   node quiche.mjs client HOST PORT OUT-DIR PATH... [--migrate]
// Environment: SESSION=FILE (client: resumes from it, and saves to it). It verifies no certificate.
import quiche from '@matrixai/quic/native/quiche.js';
import crypto from 'node:crypto';
import dgram from 'node:dgram';
import fs from 'node:fs';

const flags = process.argv.filter((word) => word.startsWith('--'));
const [mode, host, port, folder, ...rest] = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const MTU = 1350;
const CID_LENGTH = 16;
const newCid = () => crypto.randomBytes(CID_LENGTH);
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const family = host.includes(':') ? 'udp6' : 'udp4';

function configure(key, cert) {
  const config = quiche.Config.withBoringSslCtx(
    false, true, null, key && [fs.readFileSync(key)], cert && [fs.readFileSync(cert)], null);
  config.setApplicationProtos(['hq-interop']);
  config.setMaxIdleTimeout(60000);
  config.setMaxRecvUdpPayloadSize(MTU);
  config.setMaxSendUdpPayloadSize(MTU);
  config.setInitialMaxData(1 << 24);
  config.setInitialMaxStreamDataBidiLocal(1 << 22);
  config.setInitialMaxStreamDataBidiRemote(1 << 22);
  config.setInitialMaxStreamDataUni(1 << 22);
  config.setInitialMaxStreamsBidi(100);
  config.setInitialMaxStreamsUni(100);
  config.enableEarlyData();
  config.setActiveConnectionIdLimit(4);
  return config;
}

// One connection: packets and timers in, packets out, app.open() and app.data(stream, bytes, fin) called.
class Driver {
  constructor(conn, socket) {
    this.conn = conn;
    this.socket = socket;
    this.outgoing = new Map(); // stream -> { data, fin }
    this.buffer = Buffer.alloc(65536);
    this.packet = Buffer.alloc(MTU);
    this.done = new Promise((resolve) => { this.finish = resolve; });
  }

  receive(message, from, socket = this.socket) {
    const local = socket.address();
    try {
      this.conn.recv(message, { from: { host: from.address, port: from.port }, to: { host: local.address, port: local.port } });
    } catch (e) {
      if (e.message !== 'Done') console.log('recv:', e.message);
    }
    this.pump();
  }

  write(stream, data) { this.outgoing.set(stream, data); }

  read() {
    for (const stream of this.conn.readable()) {
      for (;;) {
        let got;
        try { got = this.conn.streamRecv(stream, this.buffer); } catch { break; }
        if (got == null) break;
        this.app.data(stream, Buffer.from(this.buffer.subarray(0, got[0])), got[1]);
        if (got[1]) break;
      }
    }
  }

  writeAll() {
    for (const [stream, data] of this.outgoing) {
      try {
        const sent = this.conn.streamSend(stream, data, true);
        if (sent == null) continue;
        if (sent < data.length) this.outgoing.set(stream, data.subarray(sent));
        else this.outgoing.delete(stream);
      } catch (e) {
        if (e.message !== 'StreamLimit') this.outgoing.delete(stream);
      }
    }
  }

  send() {
    for (let sent; (sent = this.conn.send(this.packet)) != null;) {
      const [length, info] = sent;
      const socket = this.sockets?.get(info.from.port) ?? this.socket;
      socket.send(Buffer.from(this.packet.subarray(0, length)), info.to.port, info.to.host);
    }
  }

  pump() {
    if (this.over) return;
    if (this.conn.isEstablished() || this.conn.isInEarlyData()) {
      if (!this.opened) {
        this.opened = true;
        this.early = !this.conn.isEstablished();
        this.app.open();
      }
      this.read();
      this.writeAll();
    }
    this.send();
    if (!this.opened && this.conn.isInEarlyData()) return this.pump();
    for (let event; this.onPath && (event = this.conn.pathEventNext()) != null;) this.onPath(event);
    clearTimeout(this.timer);
    if (this.conn.isClosed()) {
      const error = this.conn.peerError() ?? this.conn.localError();
      this.leave(error && `${error.errorCode} ${Buffer.from(error.reason)}`);
      return;
    }
    const timeout = this.conn.timeout();
    if (timeout != null) this.timer = setTimeout(() => { this.conn.onTimeout(); this.pump(); }, timeout);
  }

  leave(error) {
    clearTimeout(this.timer);
    this.over = true;
    this.finish(error);
  }

  issueCids(onCid = () => {}) {
    while (this.conn.sourceCidsLeft() > 0) {
      const cid = newCid();
      this.conn.newSourceCid(cid, BigInt('0x' + hex(newCid())), false);
      onCid(cid);
    }
  }
}

// --- server -------------------------------------------------------------------------------------
function serverApp(driver) {
  const requests = {};
  return {
    open() {},
    data(stream, bytes, fin) {
      requests[stream] = (requests[stream] ?? '') + bytes;
      if (!fin) return;
      const path = requests[stream].split(/\s+/)[1] ?? '';
      delete requests[stream];
      try {
        if (path.split('/').includes('..')) throw new Error('bad path');
        driver.write(stream, fs.readFileSync(folder + path));
      } catch {
        driver.conn.streamShutdown(stream, quiche.Shutdown.Write, 1);
      }
    },
  };
}

function serve(socket, key, cert, retry) {
  const connections = new Map(); // connection ID -> Driver
  const config = configure(key, cert);
  const reply = (from, write) => {
    const out = Buffer.alloc(MTU);
    socket.send(out.subarray(0, write(out)), from.port, from.address);
  };

  function accept(header, from) {
    if (header.version !== 0 && !quiche.versionIsSupported(header.version)) {
      return void reply(from, (out) => quiche.negotiateVersion(header.scid, header.dcid, out));
    }
    if (header.ty !== quiche.Type.Initial) return undefined;
    const token = Buffer.from(header.token ?? []);
    let scid = newCid();
    let original = null;
    if (retry) { // The token is the first destination connection ID itself: for tests only.
      if (!token.length) {
        return void reply(from, (out) =>
          quiche.retry(header.scid, header.dcid, scid, Buffer.from(header.dcid), header.version, out));
      }
      original = token;
      scid = Buffer.from(header.dcid);
    }
    const conn = quiche.Connection.accept(
      scid, original, { host, port: Number(port) }, { host: from.address, port: from.port }, config);
    const driver = new Driver(conn, socket);
    driver.app = serverApp(driver);
    connections.set(hex(scid), driver).set(hex(header.dcid), driver);
    driver.onPath = (event) => console.log('path', event.type);
    driver.done.then((error) => {
      console.log('closed', error ?? '', 'resumed', conn.isResumed(), 'streams unsent', driver.outgoing.size,
        JSON.stringify(conn.stats()), JSON.stringify(conn.pathStats()));
      for (const [cid, other] of connections) if (other === driver) connections.delete(cid);
    });
    return driver;
  }

  socket.on('message', (message, from) => {
    let header;
    try { header = quiche.Header.fromSlice(message, CID_LENGTH); } catch { return; }
    const driver = connections.get(hex(header.dcid)) ?? accept(header, from);
    if (!driver) return;
    driver.receive(message, from);
    if (driver.conn.isEstablished() && !driver.over) { // Spare IDs, so that clients can migrate.
      driver.issueCids((cid) => connections.set(hex(cid), driver));
      driver.pump();
    }
  });
  socket.bind(Number(port), host);
}

// --- client -------------------------------------------------------------------------------------
function clientApp(driver, paths, begin) {
  const chunks = new Map();
  let left = paths.length;
  return {
    request() {
      paths.forEach((path, i) => driver.write(i * 4, Buffer.from(`GET ${path}\r\n`)));
    },
    open() { if (begin) this.request(); },
    data(stream, bytes, fin) {
      if (stream & 3) return;
      chunks.set(stream, [...(chunks.get(stream) ?? []), bytes]);
      if (!fin) return;
      fs.writeFileSync(`${folder}/${paths[stream / 4].split('/').pop()}`, Buffer.concat(chunks.get(stream)));
      if (--left > 0) return;
      driver.arrived = true;
      setTimeout(() => { // The session ticket may follow.
        console.log('resumed', driver.conn.isResumed(), 'early', driver.early, 'paths',
          JSON.stringify(driver.conn.pathStats().map((path) => ({ port: path.localHost.port, active: path.active }))));
        if (process.env.SESSION && driver.conn.session()) fs.writeFileSync(process.env.SESSION, driver.conn.session());
        if (!driver.conn.isClosed()) driver.conn.close(true, 0, Buffer.alloc(0));
        driver.pump();
        setTimeout(() => driver.leave(), 20); // Draining can last minutes: three probe time-outs, backed off.
      }, 100);
    },
  };
}

// Probes from a second socket, moves there once that is validated, and only then asks for the files.
async function migrate(driver, local) {
  const second = dgram.createSocket(family);
  await new Promise((resolve) => second.bind(0, local, resolve));
  second.on('message', (message, from) => driver.receive(message, from, second));
  const from = { host: local, port: second.address().port };
  const to = { host, port: Number(port) };
  driver.sockets = new Map([[from.port, second]]);
  let moved = false;
  driver.onPath = (event) => {
    console.log('path', event.type);
    driver.issueCids();
    if (event.type !== 'Validated' || moved) return;
    moved = true;
    driver.conn.migrate(from, to);
    driver.app.request();
  };
  setTimeout(() => {
    driver.issueCids();
    driver.conn.probePath(from, to);
    driver.pump();
  }, 300);
  driver.done.then(() => second.close());
}

async function fetchAll(socket, paths) {
  const local = host;
  await new Promise((resolve) => socket.bind(0, local, resolve));
  const conn = quiche.Connection.connect(
    'localhost', newCid(), { host: local, port: socket.address().port }, { host, port: Number(port) }, configure());
  const driver = new Driver(conn, socket);
  driver.app = clientApp(driver, paths, !flags.includes('--migrate'));
  if (process.env.SESSION && fs.existsSync(process.env.SESSION)) conn.setSession(fs.readFileSync(process.env.SESSION));
  socket.on('message', (message, from) => driver.receive(message, from));
  driver.pump();
  if (flags.includes('--migrate')) await migrate(driver, local);
  const error = await driver.done;
  console.log('closed', error ?? '', 'established', conn.isEstablished(), 'timed out', conn.isTimedOut(), JSON.stringify(conn.stats()));
  socket.close();
  process.exitCode = driver.arrived ? 0 : 1;
}

const socket = dgram.createSocket({ type: family, recvBufferSize: 4 << 20 });
if (mode === 'server') serve(socket, rest[0], rest[1], flags.includes('--retry'));
else await fetchAll(socket, rest);
