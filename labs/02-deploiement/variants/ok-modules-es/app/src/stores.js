import pg from 'pg';
import { createClient } from 'redis';

const { DB_HOST, DB_NAME, DB_USER, DB_PASSWORD, REDIS_HOST } = process.env;
const pool = new pg.Pool({
  host: DB_HOST, database: DB_NAME, user: DB_USER, password: DB_PASSWORD, max: 4, statement_timeout: 1500,
  query_timeout: 1500, connectionTimeoutMillis: 1500,
});
pool.on('error', console.error);

const redis = createClient({ url: `redis://${REDIS_HOST}` }).on('error', console.error);
export const connect = () => redis.connect();

export async function cached(key, seconds, sql) {
  const known = await redis.get(key);
  if (known) return { source: 'cache', data: known };
  const { rows } = await pool.query(sql);
  const data = rows[0].value.toJSON();
  await redis.setEx(key, seconds, data);
  return { source: 'database', data };
}
