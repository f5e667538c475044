/** The steps of the room's tables. */
export const migrations: readonly string[] = [
  `CREATE TABLE network (
     id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, driver TEXT NOT NULL, created_ns INTEGER NOT NULL,
     subnet TEXT, gateway TEXT, options TEXT NOT NULL, labels TEXT NOT NULL
   ) STRICT;
   CREATE TABLE network_endpoint (
     container_id TEXT NOT NULL, network_id TEXT NOT NULL REFERENCES network (id), container_name TEXT NOT NULL,
     endpoint_id TEXT NOT NULL, address TEXT, mac TEXT, link TEXT, ports TEXT NOT NULL,
     PRIMARY KEY (container_id, network_id), UNIQUE (network_id, address)
   ) STRICT`,
  // Several endpoints a container, IPv6, and what else a network of one's own has.
  `ALTER TABLE network_endpoint RENAME TO old_endpoint;
   ALTER TABLE network RENAME TO old_network;
   CREATE TABLE network (
     id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, driver TEXT NOT NULL, created_ns INTEGER NOT NULL, document TEXT NOT NULL
   ) STRICT;
   CREATE TABLE network_sandbox (
     container_id TEXT PRIMARY KEY, container_name TEXT NOT NULL, document TEXT NOT NULL
   ) STRICT;
   CREATE TABLE network_endpoint (
     container_id TEXT NOT NULL REFERENCES network_sandbox (container_id) ON DELETE CASCADE,
     network_id TEXT NOT NULL REFERENCES network (id), endpoint_id TEXT NOT NULL, ipv4 TEXT, ipv6 TEXT, document TEXT NOT NULL,
     PRIMARY KEY (container_id, network_id), UNIQUE (network_id, ipv4), UNIQUE (network_id, ipv6)
   ) STRICT;
   INSERT INTO network SELECT id, name, driver, created_ns, json_object(
     'ipv4', json(iif(driver = 'bridge', 'true', 'false')), 'ipv6', json('false'), 'internal', json('false'),
     'attachable', json('false'), 'options', json(options), 'labels', json(labels),
     'ipam', json_object('driver', 'default', 'options', json('{}'), 'pools', iif(subnet IS NULL, json('[]'),
       json_array(json_object('subnet', subnet, 'gateway', gateway, 'auxiliary', json('{}')))))) FROM old_network;
   INSERT INTO network_sandbox SELECT container_id, container_name, json_object(
     'hostname', substr(container_id, 1, 12), 'servers', json('[]'), 'ports', json(ports)) FROM old_endpoint;
   INSERT INTO network_endpoint SELECT container_id, network_id, endpoint_id, address, NULL, json_object(
     'macAddress', coalesce(mac, ''), 'link', coalesce(link, ''), 'interface', iif(link IS NULL, '', 'eth0'),
     'linkLocal', json('[]'), 'aliases', json('[]'), 'links', json('{}'), 'gatewayPriority', 0) FROM old_endpoint;
   DROP TABLE old_endpoint;
   DROP TABLE old_network`,
  // What a crash would leave in a running container's namespace, which the host does not see.
  `CREATE TABLE network_loose_interface (
     container_id TEXT NOT NULL REFERENCES network_sandbox (container_id) ON DELETE CASCADE, interface TEXT NOT NULL,
     PRIMARY KEY (container_id, interface)
   ) STRICT`,
];
