'use strict';

// A webhook receiver for your own trials: it writes what it is sent to its log. When the lab is
// graded, the grader takes its place, under the same name and on the same port.
const http = require('node:http');

http
  .createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      try {
        const { status, alerts } = JSON.parse(body);
        console.log(request.url, status, alerts.map((a) => `${a.status} ${JSON.stringify(a.labels)}`));
      } catch {
        console.log(request.url, body);
      }
      response.end();
    });
  })
  .listen(8080, () => console.log('listening on 8080'));
