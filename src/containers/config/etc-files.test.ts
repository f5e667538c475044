import assert from "node:assert/strict";
import { test } from "node:test";
import { hostsText, resolvConfText } from "./etc-files.ts";

const plain = { host: "", servers: [], search: [], options: [], hostNetwork: false, hasResolver: false };

test("hostsText: localhost, asked-for hosts, then the container itself", () => {
  const text = hostsText({
    hostname: "web",
    domainname: "example.org",
    addresses: ["172.17.0.2", "fd00::2"],
    extraHosts: [{ name: "db", ip: "10.0.0.9" }],
  });
  assert.match(text, /^127\.0\.0\.1\tlocalhost\n/);
  assert.match(text, /\n10\.0\.0\.9\tdb\n172\.17\.0\.2\tweb\.example\.org web\nfd00::2\tweb\.example\.org web\n$/);
});

test("hostsText: no line for a container without an address", () => {
  const text = hostsText({ hostname: "web", domainname: undefined, addresses: [], extraHosts: [] });
  assert.ok(!text.includes("web"));
});

test("resolvConfText: follows the host, without resolvers that only the host reaches", () => {
  const host =
    "# made by dhcp\nnameserver 127.0.0.1\nnameserver 192.0.2.53 ; first\nsearch a.example b.example\noptions ndots:2\n";
  assert.equal(
    resolvConfText({ ...plain, host }),
    "nameserver 192.0.2.53\nsearch a.example b.example\noptions ndots:2\n",
  );
});

test("resolvConfText: our resolver is asked, whoever it asks in turn; domains and options stay", () => {
  const host = "nameserver 127.0.0.53\nsearch a.example\noptions edns0\n";
  const text = resolvConfText({ ...plain, host, servers: ["192.0.2.1"], hasResolver: true });
  assert.equal(text, "nameserver 127.0.0.11\nsearch a.example\noptions edns0\n# ExtServers: [192.0.2.1]\n");
});

test("resolvConfText: public resolvers when none is left, except in the host's network", () => {
  const host = "nameserver 127.0.0.53\n";
  assert.equal(resolvConfText({ ...plain, host }), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
  assert.equal(resolvConfText({ ...plain, host, hostNetwork: true }), "nameserver 127.0.0.53\n");
});

test("resolvConfText: what was asked for goes before the host's", () => {
  assert.equal(
    resolvConfText({
      ...plain,
      host: "nameserver 192.0.2.1\nsearch old\n",
      servers: ["127.0.0.9"],
      search: ["."],
      options: ["rotate"],
    }),
    "nameserver 127.0.0.9\noptions rotate\n",
  );
});

test("hostsText: the host's own file in the host's network, and what was asked for", () => {
  const extraHosts = [{ name: "db", ip: "10.0.0.9" }];
  const hostFile = "127.0.0.1 localhost\n192.0.2.7 printer\n";
  assert.equal(
    hostsText({ hostname: "h", domainname: undefined, addresses: [], extraHosts, hostFile }),
    "127.0.0.1 localhost\n192.0.2.7 printer\n10.0.0.9\tdb\n",
  );
});
