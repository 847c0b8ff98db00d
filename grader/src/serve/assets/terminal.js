'use strict';

/* The page of one terminal: xterm.js on one side, the server's websocket on the other. */

(() => {
  const CHUNK = 4096;
  const terminal = new window.Terminal({
    fontFamily: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
    fontSize: 14,
    scrollback: 2000,
    screenReaderMode: true,
    theme: { background: '#12161b', foreground: '#dfe4ea' },
    // What a program writes may not open a window of the browser.
    linkHandler: { activate: () => {} },
  });
  const fit = new window.FitAddon.FitAddon();
  terminal.loadAddon(fit);
  const screen = document.getElementById('terminal');
  terminal.open(screen);
  const socket = new WebSocket(`ws://${location.host}/api/containers/${location.hash.slice(1)}/terminal`);
  socket.binaryType = 'arraybuffer';
  const isOpen = () => socket.readyState === WebSocket.OPEN;
  const size = () => {
    fit.fit();
    if (isOpen()) socket.send(JSON.stringify({ size: [terminal.cols, terminal.rows] }));
  };
  const finish = (text) => {
    const end = document.getElementById('fin');
    if (!end.textContent) end.textContent = text;
    terminal.options.disableStdin = true;
    size();
  };
  socket.onopen = () => { size(); terminal.focus(); };
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string') { finish(data); return; }
    const bytes = new Uint8Array(data);
    // The server waits when too much is not drawn yet.
    terminal.write(bytes, () => { if (isOpen()) socket.send(JSON.stringify({ read: bytes.length })); });
  };
  socket.onclose = () => finish('Le terminal n’a pas pu rester ouvert : actualisez la liste des conteneurs.');
  const encoder = new TextEncoder();
  terminal.onData((typed) => {
    const bytes = encoder.encode(typed);
    for (let at = 0; isOpen() && at < bytes.length; at += CHUNK) socket.send(bytes.subarray(at, at + CHUNK));
  });
  terminal.attachCustomKeyEventHandler((event) => {
    if (!(event.shiftKey && event.key === 'Escape')) return true;
    if (event.type === 'keydown') window.parent.postMessage('leave', location.origin);
    return false;
  });
  addEventListener('resize', size);
  addEventListener('focus', () => terminal.focus());
  addEventListener('pagehide', () => socket.close());
})();
