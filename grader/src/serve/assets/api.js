/* Requests to our own server, and the stream of a run. */

/** What went wrong, in French, and what to do. */
export class Trouble extends Error {
  constructor(what, todo) {
    super(what);
    this.todo = todo;
  }
}

const GONE = ['le serveur ne répond plus', 'relancez « grader serve » dans votre terminal, puis ouvrez l’adresse qu’il affiche'];

/** Asks, and gives the JSON of the answer. */
export async function ask(method, path, body) {
  let answer;
  try {
    const json = body === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
    answer = await fetch(`/api/${path}`, { method, ...json });
  } catch {
    throw new Trouble(...GONE);
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Trouble(said.what ?? `réponse ${answer.status}`, said.todo ?? 'rechargez la page');
  return said;
}

/**
 * Reads the events of a run from the first to the last, whatever happens to the connection: the browser asks again
 * from the last line it has.
 */
export function follow(id, { event, report, lost }) {
  // Attempts in a row that a server may miss before it counts as gone (some seconds apart).
  const patience = 4;
  let failures = 0;
  const stream = new EventSource(`/api/runs/${encodeURIComponent(id)}/events`);
  let ended = false;
  stream.onopen = () => { failures = 0; };
  stream.onmessage = (message) => event(JSON.parse(message.data));
  stream.addEventListener('report', (message) => {
    ended = true;
    stream.close();
    report(JSON.parse(message.data));
  });
  stream.onerror = () => {
    failures += 1;
    if (ended || (stream.readyState !== EventSource.CLOSED && failures < patience)) return;
    ended = true;
    stream.close();
    lost(new Trouble(...GONE));
  };
}
