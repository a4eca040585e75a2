// SPDX-License-Identifier: Apache-2.0
// A host with a network of its own for tests: a network namespace with one interface and a default route to a peer, which
// is another namespace with a server. Nothing in it can reach, or change, the true network.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { collect, type Ended } from '../cli/hutch.ts'

/** Addresses on both sides; 192.0.2.0/24 is for documentation, so that nobody has it. */
export const address = { host: '192.0.2.2', peer: '192.0.2.1' }
/** Where the peer answers with the address of who asked, and where the host's own loopback does. */
export const port = { peer: 8080, loopback: 9090 }

const server = (where: string, number: number, text: string) =>
  `require('net').createServer(s => s.on('error', () => {}).end(${text} + '\\n')).listen(${number}, '${where}', () => console.log('up'))`

const script = `
set -e
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir -p /mnt/net /mnt/etc /mnt/run
mknod -m 666 /mnt/net/tun c 10 200
[ -d /dev/net ] || mkdir -p /dev/net
mount --bind /mnt/net /dev/net
mount -t tmpfs tmpfs /run
mkdir -p /mnt/etc/net.d
ip link set lo up
unshare --net sleep 600 & peer=$!
trap 'kill $peer $(jobs -p) 2>/dev/null' EXIT
until [ "$(readlink /proc/$peer/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
ip link add v0 type veth peer name v1 netns $peer
ip addr add ${address.host}/24 dev v0
ip link set v0 up
ip route add default via ${address.peer}
nsenter --net --target $peer sh -c 'ip link set lo up; ip addr add ${address.peer}/24 dev v1; ip link set v1 up'
nsenter --net --target $peer "$NODE" -e "$PEER" &
"$NODE" -e "$LOOPBACK" &
read -r line || true
`

/** One such host; commands run in it, as on a machine. */
export interface Ground {
  /** What stands before a command that is to run there. */
  before: string[]
  run(command: string, ...args: string[]): Promise<Ended>
  remove(): Promise<void>
}

/** Makes it; takes root, unshare(1) and ip(8). */
export async function networkGround(): Promise<Ground> {
  const child = spawn('unshare', ['--net', '--mount', 'bash', '-c', script], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      NODE: process.execPath,
      PEER: server(address.peer, port.peer, "'you are ' + s.remoteAddress"),
      LOOPBACK: server('127.0.0.1', port.loopback, "'the host'"),
    },
  })
  let said = ''
  child.stderr.on('data', (data: Buffer) => {
    said += data.toString()
  })
  let up = ''
  const listening = new Promise<boolean>((resolve) => {
    child.stdout.on('data', (data: Buffer) => {
      up += data.toString()
      if (up === 'up\nup\n') resolve(true)
    })
  })
  const closed = once(child, 'close')
  if (!(await Promise.race([listening, closed.then(() => false)]))) throw new Error(`no network for tests: ${said}`)
  const before = ['nsenter', '--net', '--mount', '--target', String(child.pid), `--wdns=${process.cwd()}`]
  return {
    before,
    run: (command, ...args) => collect(before[0]!, [...before.slice(1), command, ...args]),
    remove: async () => {
      child.stdin.end('\n')
      await closed
    },
  }
}

/** Shell words that print what a server says, and end soon when there is none. */
export const ask = (host: string, number: number) =>
  `timeout 5 bash -c 'exec 3<>/dev/tcp/${host}/${number} && cat <&3' 2>&1`
