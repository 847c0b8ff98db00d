import { readFileSync } from 'node:fs';
import postgres from 'postgres';
import Redis from 'ioredis';
const secret = (n) => readFileSync('/run/secrets/' + n, 'utf8').trim();
const sql = postgres({ host: process.env.PGHOST, username: 'postgres', password: secret('mdp_base'), database: 'postgres', connect_timeout: 2, max: 3, idle_timeout: 5, onnotice() {} });
const cache = new Redis({ host: process.env.CACHE, password: secret('cache.pw'), maxRetriesPerRequest: 0, commandTimeout: 700, retryStrategy: () => 300 });
cache.on('error', (e) => console.error('cache', e.message));
const limite = (p, ms) => Promise.race([p, new Promise((_, ko) => setTimeout(() => ko(new Error('trop long')), ms).unref())]);
export async function lire() {
  let vu = null, vivant = true;
  try { vu = await cache.get('heure'); } catch { vivant = false; }
  if (vu) return { source: 'cache', data: JSON.parse(vu).valeur };
  const [{ maintenant }] = await limite(sql`select clock_timestamp() as maintenant`, 2000);
  const valeur = maintenant.toISOString();
  if (vivant) await cache.setex('heure', 60, JSON.stringify({ valeur, par: 'fastify' })).catch(() => {});
  return { source: 'database', data: valeur };
}
