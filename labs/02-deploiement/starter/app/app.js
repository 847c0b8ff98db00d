'use strict';

const express = require('express');

const app = express();

// TODO 1 : GET /health répond 200 et { "status": "healthy" }.

// TODO 2 : GET /api/data répond { "data": …, "source": "database" } avec la date et
//          l'heure de PostgreSQL (module « pg »), puis { "data": …, "source": "cache" }
//          tant que Redis garde la valeur, soit 60 secondes (module « redis »).
app.get('/api/data', (req, res) => {
  res.status(501).json({ error: 'à écrire' });
});

// TODO 3 : GET /metrics donne app_requests_total et app_request_latency_seconds
//          (module « prom-client »).

const PORT = process.env.PORT ?? 5000;
app.listen(PORT, () => console.log(`API à l'écoute sur le port ${PORT}`));
