import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSwitchingMysqlPool, createSwitchingPgPool } from 'forewarm';

/**
 * An application as anybody may write it: reads ranges of its table through a switching pool, READS_A_SECOND at
 * most, and writes a line with its throughput each second. Its hot third is read much more often in some places.
 */
const { VM, NATS_URL, DEFAULT_REPLICA, REPLICAS } = process.env;
const rows = Number(process.env['ROWS']);
const readsASecond = Number(process.env['READS_A_SECOND']);
const workerCount = 4;
const rangeRows = 600;
const rangeCount = Math.max(1, Math.floor(rows / rangeRows));

const say = (text) => console.log(`${new Date().toISOString()} ${text}`);
const replicas = JSON.parse(REPLICAS);
const options = { vm: VM, nats: NATS_URL, defaultReplica: DEFAULT_REPLICA, replicas };
const onMariadb = replicas[DEFAULT_REPLICA].startsWith('mysql:');
const pool = onMariadb
  ? createSwitchingMysqlPool({ ...options, pool: { connectionLimit: workerCount } })
  : createSwitchingPgPool({ ...options, pool: { max: workerCount } });
pool.on('switch', ({ phase, from, to, epoch, reason }) =>
  say(`switch ${from} -> ${to}, epoch ${epoch}: ${phase}${reason === undefined ? '' : `, ${reason}`}`),
);
pool.on('notice', ({ message }) => say(message));

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => stop.abort());

let reads = 0;
let failed = 0;
let latenciesMs = [];

/** Some of the hot third's ranges, which lie all over the table, come up far more often than others. */
function firstOfRange() {
  const rank = Math.floor(Math.random() ** 2 * (rangeCount / 3));
  return ((rank * 7919) % rangeCount) * rangeRows + 1;
}

async function read(ids) {
  if (onMariadb) {
    await pool.execute('SELECT count(*), max(filler) FROM items WHERE id BETWEEN ? AND ?', ids);
  } else {
    const text = 'SELECT count(*), max(filler) FROM items WHERE id BETWEEN $1 AND $2';
    await pool.query({ name: 'read', text, values: ids });
  }
}

async function work() {
  const turnMs = (1_000 * workerCount) / readsASecond;
  while (!stop.signal.aborted) {
    const startMs = performance.now();
    const from = firstOfRange() + Math.floor(Math.random() * (rangeRows - 20));
    try {
      await read([from, from + 19]);
      reads += 1;
      latenciesMs.push(performance.now() - startMs);
    } catch (error) {
      failed += 1;
      if (failed === 1) say(`a read failed: ${error.message}`);
      await sleep(100);
    }
    await sleep(Math.max(0, turnMs - (performance.now() - startMs)));
  }
}

const timer = setInterval(() => {
  const p99 = latenciesMs.sort((a, b) => a - b)[Math.floor(latenciesMs.length * 0.99)] ?? 0;
  say(`${pool.route.replica} ${reads} reads/s, ${failed} failed, p99 ${p99.toFixed(1)} ms`);
  if (reads > 0) writeFileSync('/tmp/alive', '');
  [reads, failed, latenciesMs] = [0, 0, []];
}, 1_000);
await Promise.all(Array.from({ length: workerCount }, work));
clearInterval(timer);
await pool.end();
