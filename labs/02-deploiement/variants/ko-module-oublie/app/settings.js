'use strict';

module.exports = { CACHE_SECONDS: 60 };
