// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Deno's QUIC (quinn) as a peer that speaks hq-interop.
//   deno run ... deno.ts server HOST PORT WWW KEY CERT
//   deno run ... deno.ts client HOST PORT OUT-DIR CA PATH... [--resume | --0rtt]
// With these the client fetches the first path on a first connection, the others on a second.
const flags = Deno.args.filter((word) => word.startsWith("--"));
const [mode, hostname, port, folder, ...rest] = Deno.args.filter((word) => !word.startsWith("--"));

async function readAll(stream: ReadableStream<Uint8Array>) {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function answer(stream: Deno.QuicBidirectionalStream) {
  const [method, path] = new TextDecoder().decode(await readAll(stream.readable)).split(/\s+/);
  if (method !== "GET" || !path || path.split("/").includes("..")) throw new Error("bad request");
  const file = await Deno.open(folder + path);
  await file.readable.pipeTo(stream.writable);
}

async function serveConnection(incoming: Deno.QuicIncoming) {
  const connection = await incoming.accept();
  for await (const stream of connection.incomingBidirectionalStreams) {
    answer(stream).catch((e) => console.log("stream:", String(e)));
  }
}

async function serve(key: string, cert: string) {
  const endpoint = new Deno.QuicEndpoint({ hostname, port: Number(port) });
  const listener = endpoint.listen({
    key: await Deno.readTextFile(key),
    cert: await Deno.readTextFile(cert),
    alpnProtocols: ["hq-interop"],
    maxConcurrentBidirectionalStreams: 100,
    maxIdleTimeout: 60_000,
  });
  for await (const incoming of listener) {
    serveConnection(incoming).catch((e) => console.log("connection:", String(e)));
  }
}

async function get(connection: Deno.QuicConn, path: string) {
  const stream = await connection.createBidirectionalStream({ waitUntilAvailable: true });
  const writer = stream.writable.getWriter();
  await writer.write(new TextEncoder().encode(`GET ${path}\r\n`));
  await writer.close();
  await Deno.writeFile(`${folder}/${path.split("/").pop()}`, await readAll(stream.readable));
}

async function fetchAll(endpoint: Deno.QuicEndpoint, ca: string, paths: string[], zeroRtt: boolean) {
  const connection = await Deno.connectQuic({
    endpoint, // Remembers sessions.
    zeroRtt,
    maxIdleTimeout: 60_000,
    hostname,
    port: Number(port),
    serverName: "localhost",
    alpnProtocols: ["hq-interop"],
    caCerts: [await Deno.readTextFile(ca)],
  });
  await Promise.all(paths.map((path) => get(connection, path)));
  await new Promise((done) => setTimeout(done, 100)); // The session ticket may follow.
  connection.close({ closeCode: 0, reason: "" });
  await connection.closed;
  await new Promise((done) => setTimeout(done, 20)); // For CONNECTION_CLOSE to leave.
}

async function fetchInSteps(ca: string, paths: string[]) {
  const endpoint = new Deno.QuicEndpoint({ hostname: hostname.includes(":") ? "::1" : "127.0.0.1" });
  const steps = flags.length ? [paths.slice(0, 1), paths.slice(1)] : [paths];
  for (const [i, step] of steps.entries()) await fetchAll(endpoint, ca, step, i > 0 && flags.includes("--0rtt"));
  Deno.exit(0);
}

if (mode === "server") await serve(rest[0], rest[1]);
else await fetchInSteps(rest[0], rest.slice(1));
