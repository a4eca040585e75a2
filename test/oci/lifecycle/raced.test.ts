// SPDX-License-Identifier: Apache-2.0
// Names of a container's root are swapped with links, as fast as can be, while the runtime creates the container and enters it.
// Nothing is read, made or mounted outside. Each attack has a control: what goes by names alone is led there.
// In a VM only in `npm run test:kernels`.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { hutchPath } from '../../support/command.ts'
import { tree } from '../../support/image.ts'
import { makeGround } from '../../support/oci-runtime.ts'
import { requires } from '../../support/requires.ts'
import { repetitions } from '../../support/sample.ts'
import { startSwapper } from '../../support/swapper.ts'
import { killIfThere, ownMounts } from './kills.ts'

const ground = makeGround('hutch')
const { call, image, path } = ground
afterAll(ground.remove)
beforeEach((context) => requires(context, 'root', 'busybox'))

const hash = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')
const attempts = repetitions(400, 30, 8)
const proc = { destination: '/proc', type: 'proc', source: 'proc' }
const tmpfs = (destination: string) => ({ destination, type: 'tmpfs', source: 'tmpfs' })

/** What a container's names lead to if a link is followed on the host. */
const outside = `${path}/outside`
mkdirSync(`${outside}/etc`, { recursive: true })
writeFileSync(`${outside}/etc/passwd`, 'user:x:1:1::/outside:/bin/sh\n')

let attacker: { end: () => Promise<void> } | undefined
afterEach(async () => {
  await attacker?.end()
  attacker = undefined
})

/** Swaps these names of the image with links, until the test ends. */
async function swap(links: { [name: string]: string }): Promise<void> {
  const names = Object.keys(links).map((name) => `${image}/${name}`)
  for (const [name, target] of Object.entries(links)) symlinkSync(target, `${image}/${name}.twin`)
  const swapper = await startSwapper(names)
  attacker = {
    async end() {
      const ended = once(swapper, 'exit')
      swapper.kill('SIGKILL')
      await ended
      for (const name of names) {
        if (lstatSync(name).isSymbolicLink()) {
          rmSync(name)
          renameSync(`${name}.twin`, name)
        } else rmSync(`${name}.twin`)
      }
    },
  }
}

/** Tries until something happens that needs luck. */
function untilLucky(attempt: () => boolean): void {
  for (const end = Date.now() + 30_000; Date.now() < end; ) if (attempt()) return
  throw new Error('the control never got through')
}

/** Prints whether the working directory is outside of the root, and HOME. */
const look = [
  'sh',
  '-c',
  'set -- $(stat -c %d:%i / ../../../../../../../../..); [ $1 = $2 ] || echo escaped; echo $HOME',
]

test(`create: ${attempts} times while the working directory, mount destinations and /etc/passwd are swapped`, {
  timeout: 900_000,
}, async () => {
  for (const name of ['place', 'mounted', 'account']) mkdirSync(`${image}/${name}`)
  writeFileSync(`${image}/account/passwd`, 'user:x:1:1::/inside:/bin/sh\n')
  await swap({ place: outside, mounted: outside, account: `${outside}/etc`, dev: outside })
  const before = { mounts: ownMounts(ground), files: tree(outside) }
  // the controls: who goes by names makes a directory outside, and reads a file there
  untilLucky(() => {
    try {
      mkdirSync(`${image}/place/made`)
    } catch {
      // it exists in the image already
      rmSync(`${image}/place/made`, { recursive: true, force: true })
    }
    return existsSync(`${outside}/made`)
  })
  rmSync(`${outside}/made`, { recursive: true })
  untilLucky(() => readFileSync(`${image}/account/passwd`, 'utf8').includes('/outside'))
  rmSync(`${image}/etc`, { recursive: true })
  symlinkSync('account', `${image}/etc`)
  const ends = { ran: 0, refused: 0 }
  for (let i = 0; i < attempts; i++) {
    const id = ground.newId()
    const bundle = ground.bundle(id, {
      'process.cwd': '/place/new/deep',
      'process.args': look,
      'process.env': ['PATH=/bin'],
      'process.user': { uid: 1, gid: 1 },
      mounts: [proc, tmpfs('/dev'), tmpfs('/mounted/new')],
    })
    const { status, stdout } = call(['run', '--bundle', bundle, id])
    if (status === 0) ends.ran++
    else ends.refused++
    expect(['', '/\n', '/inside\n']).toContain(stdout)
    expect({ mounts: ownMounts(ground), files: tree(outside) }).toEqual(before)
  }
  expect(ends.ran).toBeGreaterThan(0)
  expect(ends.refused).toBeGreaterThan(0)
})

test(`exec: ${attempts} times while the working directory, the program and /etc/passwd are swapped (CVE-2024-21626, CVE-2019-5736)`, {
  timeout: 900_000,
}, async () => {
  const place = `${image}/exec`
  for (const name of ['work', 'account']) mkdirSync(`${place}/${name}`, { recursive: true })
  writeFileSync(`${place}/account/passwd`, 'user:x:1:1::/inside:/bin/sh\n')
  copyFileSync(`${image}/bin/busybox`, `${place}/busybox`)
  rmSync(`${image}/etc`, { recursive: true, force: true })
  symlinkSync('exec/account', `${image}/etc`)
  const before = { hash: hash(hutchPath), files: tree(outside) }
  const id = ground.started({ mounts: [proc, tmpfs('/dev')], 'process.env': ['PATH=/bin'] })
  await swap({
    'exec/work': '/proc/self/fd/7',
    'exec/account': `${outside}/etc`,
    'exec/busybox': '/proc/self/exe',
  })
  const root = `/proc/${ground.pid(id)}/root`
  // the controls: who opens the file by its name reads that of the host; who follows the link has a descriptor of its own as directory
  untilLucky(() => readFileSync(`${root}/exec/account/passwd`, 'utf8').includes('/outside'))
  const leaked = Array.from({ length: 8 }, () => openSync('/', 'r'))
  const follow = [
    'nsenter',
    ['-t', String(ground.pid(id)), '-m', '-p', 'sh', '-c', `cd /exec/work && ${look[2]}`],
  ] as const
  untilLucky(() =>
    spawnSync(...follow, { stdio: ['ignore', 'pipe', 'ignore', ...leaked], encoding: 'utf8' }).stdout.includes(
      'escaped',
    ),
  )
  for (const fd of leaked) closeSync(fd)
  const seen = new Set<string>()
  const statuses = new Set<number | null>()
  for (let i = 0; i < attempts; i++) {
    const directory = call(['exec', '--user', '1', '--cwd', '/exec/work', id, ...look])
    expect(directory.stdout.split('\n')).not.toContain('escaped')
    expect(directory.stdout).not.toContain('outside')
    seen.add(directory.stdout)
    const program = call(['exec', id, '/exec/busybox', 'echo', 'hi'])
    expect(['', 'hi\n']).toContain(program.stdout)
    statuses.add(directory.status).add(program.status)
  }
  expect(statuses.size).toBeGreaterThan(1)
  expect(seen).toContain('/inside\n')
  expect({ hash: hash(hutchPath), files: tree(outside) }).toEqual(before)
})

test(`exec: ${attempts} times while /proc of the container is covered and uncovered (CVE-2019-16884, CVE-2025-62596)`, {
  timeout: 900_000,
}, async () => {
  const all = { bounding: ['CAP_SYS_ADMIN'], permitted: ['CAP_SYS_ADMIN'], effective: ['CAP_SYS_ADMIN'] }
  const covers =
    'mount -t tmpfs x /proc; mkdir -p /proc/self/attr /proc/thread-self/attr /proc/self/fd; for d in self thread-self; do :>/proc/$d/oom_score_adj; :>/proc/$d/attr/exec; done'
  const script = `for t in mount umount mkdir; do ln -s busybox /bin/$t; done; while :; do ${covers}; umount /proc; done`
  const changes = { 'process.capabilities': all, 'process.args': ['sh', '-c', script], mounts: [proc, tmpfs('/dev')] }
  const id = ground.started(changes)
  const file = `${path}/process.json`
  const process = { args: ['sleep', '1000'], cwd: '/', env: ['PATH=/bin'], oomScoreAdj: 321, user: { uid: 0, gid: 0 } }
  writeFileSync(file, JSON.stringify(process))
  // the control: who writes by names in the container's root writes to a file of the container
  const root = `/proc/${ground.pid(id)}/root`
  untilLucky(() => {
    try {
      writeFileSync(`${root}/proc/self/oom_score_adj`, '321', { flag: 'r+' })
      return readFileSync(`${root}/proc/self/oom_score_adj`, 'utf8') === '321'
    } catch {
      return false
    }
  })
  const pidFile = `${path}/exec.pid`
  for (let i = 0; i < attempts; i++) {
    const words = ['exec', '--detach', '--pid-file', pidFile, '--process', file, id]
    expect(call(words)).toEqual({ status: 0, stdout: '', stderr: '' })
    const pid = readFileSync(pidFile, 'utf8')
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8')).toBe('321\n')
    expect(killIfThere(Number(pid))).toBe(true)
  }
})
