// SPDX-License-Identifier: Apache-2.0
// conmon, which creates Podman's containers and runs further processes in them, is killed at random moments. Its end kills the runtime that it has
// called: list, delete --force and a new container of the same id work afterwards, nothing is left, and no living container is lost.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test, vi } from 'vitest'
import { type Held, makeGround, type Result } from '../../support/oci-runtime.ts'
import { requires } from '../../support/requires.ts'
import { repetitions } from '../../support/sample.ts'
import {
  expectDeletable,
  expectHits,
  expectNoOrphan,
  killIfThere,
  listed,
  ownMounts,
  random,
  seed,
  succeed,
} from './kills.ts'

const ground = makeGround('hutch')
afterAll(ground.remove)

const rounds = Number(process.env.KILLS ?? repetitions(300, 10, 5))

/** conmon takes one program as the runtime. */
const runtime = `${ground.path}/runtime`
writeFileSync(runtime, `#!/bin/sh\nexec ${ground.words.slice(0, -2).join(' ')} "$@"\n`, { mode: 0o755 })

interface Caller {
  held: Held
  /** Process id of conmon. */
  pid: number
  /** The file that tells conmon the process id of what the runtime has made. */
  pidFile: string
}

/** Starts conmon, and returns the processes that it leaves to a subreaper, and its own id. */
async function conmon(id: string, bundle: string, ...more: string[]): Promise<Caller> {
  const serial = `${id}-${more.length}`
  const at = (name: string) => `${ground.path}/${serial}-${name}`
  for (const name of ['exits', 'kept', 'sockets', 'bundle']) mkdirSync(at(name))
  const files = ['--exit-dir', at('exits'), '--persist-dir', at('kept'), '--socket-dir-path', at('sockets')]
  const held = await ground.hold(
    [
      ...['--api-version', '1', '-c', id, '-n', id, '-u', serial, '-r', runtime, '-b', bundle, ...files],
      ...['-p', at('pid'), '-P', at('conmon'), '-l', `k8s-file:${at('log')}`, '--log-level', 'error'],
      ...['--runtime-arg', `--root=${ground.root}`, ...more],
    ],
    ['conmon'],
  )
  const pid = await vi.waitFor(() => Number(/^\d+$/.exec(readFileSync(at('conmon'), 'utf8'))![0]), {
    timeout: 30_000,
    interval: 1,
  })
  return { held, pid, pidFile: at('pid') }
}

const processFile = `${ground.path}/process.json`
writeFileSync(
  processFile,
  JSON.stringify({ args: ['sleep', '1000'], cwd: '/', env: ['PATH=/bin'], user: { uid: 0, gid: 0 } }),
)

/** Creates a container by conmon, as the subreaper's. */
async function created(id: string, bundle: string): Promise<Caller> {
  const made = await conmon(id, bundle)
  await ground.becomes(id, 'created')
  return made
}

interface Kind {
  what: string
  /** What conmon does while it is killed, or what another process does then. Resolves when it has ended. */
  during: (id: string, bundle: string) => Promise<Caller & { command?: () => Promise<Result> }>
  /** The statuses that the container can have afterwards; '' if it need not exist. */
  leaves: readonly string[]
}

const kinds: readonly Kind[] = [
  { what: 'create', during: conmon, leaves: ['', 'created', 'stopped'] },
  {
    what: 'exec',
    during: async (id) => {
      succeed(ground, 'create', '--bundle', ground.bundle(id), id)
      succeed(ground, 'start', id)
      const bundle = `${ground.path}/${id}-exec`
      mkdirSync(bundle)
      return conmon(id, bundle, '-e', '--exec-process-spec', processFile)
    },
    leaves: ['running'],
  },
  {
    what: 'start',
    during: async (id, bundle) => ({ ...(await created(id, bundle)), command: () => ground.begin(['start', id]) }),
    leaves: ['running'],
  },
  {
    what: 'update',
    during: async (id, bundle) => {
      const made = await created(id, bundle)
      succeed(ground, 'start', id)
      return { ...made, command: () => ground.begin(['update', '--pids-limit', '40', id]) }
    },
    leaves: ['running'],
  },
  {
    what: 'delete',
    during: async (id, bundle) => {
      const made = await created(id, bundle)
      succeed(ground, 'start', id)
      return { ...made, command: () => ground.begin(['delete', '--force', id]) }
    },
    leaves: [''],
  },
]

/** Returns the runtimes that conmon has left: each is killed with conmon, or soon ends. */
const runtimesOf = ({ children }: Held) =>
  children().filter((pid) => {
    try {
      return /^(?!conmon\0).*--root=/s.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
    } catch {
      return false
    }
  })

test(`conmon is killed at ${rounds} random moments`, { timeout: 1_200_000 }, async (context) => {
  requires(context, 'root', 'busybox', '/usr/bin/conmon')
  const longest = kinds.map(() => 0)
  const hits = kinds.map(() => 0)
  // in the first rounds nothing is killed: they show how long each takes
  for (let round = -kinds.length; round < rounds; round++) {
    const kind = (round + kinds.length) % kinds.length
    const { what, during, leaves } = kinds[kind]!
    const id = ground.newId()
    const bundle = ground.bundle(id)
    const { held, pid, pidFile, command } = await during(id, bundle)
    const begun = performance.now()
    if (round >= 0) {
      const timer = setTimeout(() => killIfThere(pid) && hits[kind]!++, random() * longest[kind]!)
      const result = await command?.()
      if (result) expect(result, `${what}, seed ${seed}, round ${round}`).toMatchObject({ status: 0, stderr: '' })
      await held.ended(pid)
      clearTimeout(timer)
    } else if (command) expect(await command()).toMatchObject({ status: 0 })
    else await vi.waitUntil(() => existsSync(pidFile), { timeout: 30_000, interval: 2 })
    if (round < 0) longest[kind] = performance.now() - begun
    await vi.waitFor(() => expect(runtimesOf(held)).toEqual([]), 30_000)
    expect(leaves, `${what}, seed ${seed}, round ${round}`).toContain(listed(ground, id))
    if (what !== 'create' && what !== 'delete') expect(ground.call(['exec', id, 'true'])).toMatchObject({ status: 0 })
    expectDeletable(ground, id, bundle)
    await expectNoOrphan(held)
  }
  expectHits(hits, rounds)
  expect(ownMounts(ground)).toEqual([])
})
