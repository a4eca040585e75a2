// SPDX-License-Identifier: Apache-2.0
// Namespaces of known shapes to look at: held by processes, by mounts, by descriptors and sockets, and by nothing but what is below them; and all away again.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'

/** What the words of a case stand for. */
export interface Ground {
  words: { [word: string]: string }
  clear(): Promise<void>
}

/** Makes it all, as root. */
export async function makeGround(): Promise<Ground> {
  const directory = mkdtempSync(`${tmpdir()}/hutch-lsns-`)
  const started: ChildProcess[] = []
  const start = (command: string, ...args: string[]): number => {
    const child = spawn(command, args, { stdio: 'ignore' })
    started.push(child)
    return child.pid!
  }
  // an outer process that dies takes the inner ones along
  const own = start('unshare', '-UrmpnuiCT', '--fork', '--kill-child', '--mount-proc', 'sleep', '6000')
  const pair = start('unshare', '-u', 'sh', '-c', 'setpriv --pdeathsig KILL sleep 6004 & exec sleep 6005')
  const chain = start('unshare', '-Ur', 'unshare', '-Ur', 'unshare', '-Urn', 'sleep', '6001')
  const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
  const other = start(nobody[0]!, ...nobody.slice(1), 'unshare', '-Ur', 'unshare', '-Urn', 'sleep', '6002')
  const name = "$'o\\td\\\\d \\\\x41 \\xff é中 \\e[31m'"
  const odd = start('unshare', '-i', 'bash', '-c', `exec -a ${name} sleep 6003`)
  const mounts = ['plain', 'two words'].map((name) => `${directory}/${name}`)
  const persistent = ['uts', 'user'].map((kind) => `${directory}/${kind}`)
  for (const path of [...mounts, ...persistent]) writeFileSync(path, '')
  run('unshare', `--net=${mounts[0]}`, 'true')
  run('mount', '--bind', mounts[0]!, mounts[1]!)
  run('unshare', `--uts=${persistent[0]}`, 'true')
  const inner = await eventually(() => childOf(own))
  const second = await eventually(() => childOf(pair))
  for (const pid of [inner, chain, other, pair, second])
    await eventually(() => commandOf(pid).startsWith('sleep') || undefined)
  // held by a mount alone, and holds another that has nothing else
  const brief = start('unshare', '-Ur', 'unshare', '-Ur', 'sleep', '6006')
  await eventually(() => commandOf(brief).startsWith('sleep') || undefined)
  run('mount', '--bind', `/proc/${brief}/ns/user`, persistent[1]!)
  await end(started.pop()!)
  // held by a descriptor alone
  const uts = start('unshare', '-u', 'sleep', '6007')
  await eventually(() => commandOf(uts).startsWith('sleep') || undefined)
  const descriptor = start('bash', '-c', `exec 8</proc/${uts}/ns/uts; exec sleep 6008`)
  await eventually(() => commandOf(descriptor).startsWith('sleep') || undefined)
  const held = namespaceOf(uts, 'uts')
  await end(started.splice(-2, 1)[0]!)
  const socket = holdSocket()
  await eventually(() => commandOf(odd).startsWith('o') || undefined)
  return {
    words: {
      OWN: String(inner),
      CHAIN: String(chain),
      OTHER: String(other),
      ODD: String(odd),
      IPC: namespaceOf(odd, 'ipc'),
      UTS: namespaceOf(pair, 'uts'),
      NET: namespaceOf(chain, 'net'),
      HELD: held,
      SOCKET: socket.network,
      HOLDER: String(socket.pid),
      MOUNTED: String(statSync(mounts[0]!).ino),
    },
    async clear() {
      for (const path of [...mounts, ...persistent]) run('umount', path)
      rmSync(directory, { recursive: true })
      await Promise.all(started.map(end))
      process.kill(socket.pid, 'SIGKILL')
    },
  }
}

/** A process of this network namespace whose descriptor 3 is a socket of another one, which nothing else holds. */
function holdSocket(): { pid: number; network: string } {
  const program = `
    const server = require('node:net').createServer().listen(0, () => {
      const stdio = ['ignore', 'ignore', 'ignore', server._handle.fd]
      const args = ['--net=/proc/${process.pid}/ns/net', 'sleep', '6009']
      const child = require('node:child_process').spawn('nsenter', args, { stdio, detached: true })
      console.log(child.pid, require('node:fs').statSync('/proc/self/ns/net').ino)
      process.exit()
    })`
  const { stdout, stderr } = spawnSync('unshare', ['--net', process.execPath, '-e', program], { encoding: 'utf8' })
  const [pid, network] = stdout.trim().split(' ')
  if (!network) throw new Error(stderr)
  return { pid: Number(pid), network }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await new Promise((resolve) => child.on('close', resolve).kill('SIGKILL'))
}

function run(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
}

function childOf(pid: number): number | undefined {
  const child = readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' '))
    .find((word) => word !== '')
  return child === undefined ? undefined : Number(child)
}

const commandOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8')
const namespaceOf = (pid: number, file: string) => String(statSync(`/proc/${pid}/ns/${file}`).ino)

async function eventually<T>(look: () => T | undefined): Promise<T> {
  for (let tries = 0; tries < 1000; tries++) {
    const seen = look()
    if (seen !== undefined) return seen
    await pause(20)
  }
  throw new Error('what was started never came to be')
}
