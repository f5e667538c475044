"""One end of an SCTP handshake by raw IP packets, for kernels without SCTP sockets.

serve PORT: answers an INIT with an INIT ACK.  ask ADDRESS PORT: sends an INIT, awaits the INIT ACK.
Prints what came: source, destination and ports, chunk type, tag, and whether the checksum is right.
"""
import socket
import struct
import sys

INIT, INIT_ACK = 1, 2
TAG, ANSWER_TAG = 0x1234, 0x5678


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def packet(source, target, tag, kind, initiate_tag):
    cookie = struct.pack("!HH4s", 7, 8, b"crmb") if kind == INIT_ACK else b""
    chunk = struct.pack("!BBHIIHHI", kind, 0, 20 + len(cookie), initiate_tag, 65536, 1, 1, 1) + cookie
    head = struct.pack("!HHI", source, target, tag)
    return head + struct.pack("<I", crc32c(head + bytes(4) + chunk)) + chunk


def receive(raw, port, kind):
    while True:
        data = raw.recv(65535)
        words = data[(data[0] & 15) * 4 :]
        source, target, tag = struct.unpack("!HHI", words[:8])
        if target != port or words[12] != kind:
            continue
        right = struct.unpack("<I", words[8:12])[0] == crc32c(words[:8] + bytes(4) + words[12:])
        sender, receiver = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
        checksum = "right" if right else "wrong"
        print(f"{sender}:{source} {receiver}:{target} chunk {kind} tag {tag:x} checksum {checksum}", flush=True)
        return sender, source


raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 132)
raw.settimeout(5)
if sys.argv[1] == "serve":
    port = int(sys.argv[2])
    print("ready", flush=True)
    sender, source = receive(raw, port, INIT)
    raw.sendto(packet(port, source, TAG, INIT_ACK, ANSWER_TAG), (sender, 0))
else:
    address, port = sys.argv[2], int(sys.argv[3])
    raw.sendto(packet(40000, port, 0, INIT, TAG), (address, 0))
    receive(raw, 40000, INIT_ACK)
