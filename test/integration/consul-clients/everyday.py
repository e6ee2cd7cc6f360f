"""What programs do with python-consul. Usage: everyday.py PORT TOKEN; prints "good" at the end."""
import sys

import consul

port, token = int(sys.argv[1]), sys.argv[2]
client = consul.Consul(port=port, token=token)
# Some of its calls forget the token that it was given.
client.http.session.headers['X-Consul-Token'] = token

check = consul.Check.ttl('1h')
assert client.agent.service.register('web', service_id='web-1', address='127.0.0.1', port=8000, tags=['blue'], check=check)
index, entries = client.health.service('web', passing=True)
assert entries == [], entries
# Debian's version says GET here, and where it deregisters, which Consul takes no more since 1.0.
assert not client.agent.check.ttl_pass('service:web-1')
assert client.http.put(consul.base.CB.bool(), '/v1/agent/check/pass/service:web-1')
index, entries = client.health.service('web', passing=True, index=index, wait='10s')
assert [entry['Service']['ID'] for entry in entries] == ['web-1'], entries
assert list(client.agent.services()) == ['web-1']
_, services = client.catalog.services()
assert services == {'web': ['blue']}, services
_, nodes = client.catalog.nodes()
assert [node['Node'] for node in nodes] == ['lb-1'], nodes
assert client.status.leader() == '127.0.0.1:8300'

assert client.kv.put('web/a', 'one')
_, row = client.kv.get('web/a')
assert row['Value'] == b'one', row
assert not client.kv.put('web/a', 'two', cas=1)
assert client.kv.put('web/a', 'two', cas=row['ModifyIndex'])
_, keys = client.kv.get('web/', keys=True)
assert keys == ['web/a'], keys
assert client.kv.delete('web/', recurse=True)
_, row = client.kv.get('web/a')
assert row is None, row

try:
    client.kv.put('db/a', 'x')
    raise AssertionError('a key of somebody else')
except consul.ACLPermissionDenied:
    pass
try:
    consul.Consul(port=port, token='wrong').kv.get('web/a')
    raise AssertionError('a wrong token')
except consul.ACLPermissionDenied:
    pass

assert client.http.put(consul.base.CB.bool(), '/v1/agent/service/deregister/web-1')
_, entries = client.health.service('web')
assert entries == [], entries
print('good')
