"""
A node of a PostgreSQL cluster as far as Consul knows it: Patroni's own module for Consul, without PostgreSQL. It tells of
itself, takes the leader key when nobody has it, keeps it, and waits for a change while another one has it.
Usage: patroni-node.py PORT TOKEN NAME; prints "leads" or "follows NAME" when that changes, and "round" after each round.
"""
import sys

from patroni.dcs.consul import Consul

port, token, name = int(sys.argv[1]), sys.argv[2], sys.argv[3]
dcs = Consul({
    'host': '127.0.0.1', 'port': port, 'token': token, 'register_service': True,
    'scope': 'batman', 'name': name, 'ttl': 20, 'loop_wait': 1, 'retry_timeout': 5,
})
told = None
while True:
    cluster = dcs.get_cluster()
    if cluster.is_unlocked():
        leads = dcs.attempt_to_acquire_leader()
    else:
        leads = cluster.leader.name == name and dcs.update_leader(1)
    dcs.touch_member({
        'role': 'master' if leads else 'replica', 'state': 'running',
        'api_url': 'http://127.0.0.1:9/patroni', 'conn_url': 'postgres://127.0.0.1:5432/postgres',
    })
    leader = dcs.get_cluster().leader
    state = 'leads' if leads else 'follows {0}'.format(leader.name) if leader else told
    if state != told:
        print(state, flush=True)
        told = state
    print('round', flush=True)
    dcs.watch(leader.index if leader and not leads else None, 1 if leader and not leads else 0.1)
