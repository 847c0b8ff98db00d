set -e
curl -sf -X PUT -H 'Content-Type: application/json' http://elasticsearch:9200/_index_template/logstream -d '{
  "index_patterns": ["logstream-*"],
  "template": {
    "settings": { "number_of_replicas": 0 },
    "mappings": { "properties": {
      "level": { "type": "keyword" },
      "service": { "type": "keyword" },
      "duration_ms": { "type": "long" }
    } }
  }
}'
