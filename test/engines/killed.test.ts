// SPDX-License-Identifier: Apache-2.0
// The callers of a runtime are killed at random moments: conmon below Podman, and containerd's shim. Afterwards the engine removes the container
// and runs another of the same name. Nothing of the first is left. A container goes on if the conmon of something else in it is killed, or its own.
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { killIfThere, random, seed } from '../oci/lifecycle/kills.ts'
import { requires, skip } from '../support/requires.ts'
import { repetitions } from '../support/sample.ts'
import { openContainerd } from './containerd.ts'
import { busybox, busyboxArchive } from './images.ts'
import { openPodman, type Podman } from './podman.ts'
import { runtimes } from './runtimes.ts'
import { bySystemd, needs, type Outcome, type Session } from './session.ts'

const rounds = Number(process.env.KILLS ?? repetitions(100, 16))
const loop = 'while :; do sleep 60; done'

beforeEach((context) => {
  requires(context, ...needs)
  if (bySystemd) skip(context, 'the processes of a session are in groups of systemd')
})

/** Returns the ids, on the host, of the session's processes of this name: at most 15 characters. */
const named = (session: Session, name: string) =>
  session.processes().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8') === `${name}\n`
    } catch {
      return false
    }
  })

/**
 * Runs a command. Kills a caller of this name that is not in `old`, at a random moment of a time in milliseconds from when the
 * caller is there; without a time, kills nothing. Returns how long the command took from then on.
 */
async function killDuring(
  session: Session,
  name: string,
  old: readonly number[],
  run: () => Promise<Outcome>,
  time: number | undefined,
): Promise<{ isHit: boolean; took: number }> {
  let isOver = false
  const outcome = run().finally(() => {
    isOver = true
  })
  // the first conmon only starts the one that stays
  const find = () => named(session, name).filter((pid) => !old.includes(pid))
  while (find().length === 0 && !isOver) await pause(1)
  const begun = performance.now()
  if (time !== undefined) await pause(random() * time)
  const isHit = time !== undefined && find().filter(killIfThere).length > 0
  await outcome
  return { isHit, took: performance.now() - begun }
}

/** What an engine's test tries in turns. */
interface Kind {
  what: string
  /** True if the container exists, and runs, before. */
  exists: boolean
  /** True if a caller that the command starts is killed, not the container's. */
  isNew: boolean
  words: string[]
  /** True if the container runs afterwards. */
  goesOn: boolean
}

describe.each(runtimes)('over $name', (runtime) => {
  describe('podman', () => {
    let engine: Podman
    let idle: number[]
    const podman = (...words: string[]) => engine.session.run(['podman', ...words])
    const kinds: readonly Kind[] = [
      {
        what: 'run',
        exists: false,
        isNew: true,
        words: ['run', '-d', '--name', 'NAME', '--net', 'none', busybox, 'sh', '-c', loop],
        goesOn: false,
      },
      { what: 'exec', exists: true, isNew: true, words: ['exec', '-d', 'NAME', 'sleep', '1000'], goesOn: true },
      { what: 'update', exists: true, isNew: false, words: ['update', '--memory', '64m', 'NAME'], goesOn: true },
      { what: 'rm', exists: true, isNew: false, words: ['rm', '-f', '-t', '0', 'NAME'], goesOn: false },
    ]
    beforeAll(async () => {
      engine = await openPodman(runtime)
      await engine.shell('--net none', 'true')
      idle = engine.session.processes()
    }, 300_000)
    afterAll(() => engine.session.close())

    test(`conmon is killed at ${rounds} random moments`, { timeout: 1_800_000 }, async () => {
      const { session } = engine
      const time: number[] = []
      const hits = kinds.map(() => 0)
      // in the first rounds nothing is killed: they show how long each takes
      for (let round = -kinds.length; round < rounds; round++) {
        const kind = (round + kinds.length) % kinds.length
        const { what, exists, isNew, words, goesOn } = kinds[kind]!
        const name = `name-${round + kinds.length}`
        const at = `${what}, seed ${seed}, round ${round}`
        if (exists) await engine.output(`run -d --name ${name} --net none ${busybox} sh -c`, loop)
        const before = isNew ? named(session, 'conmon') : []
        const line = words.map((word) => (word === 'NAME' ? name : word))
        const { isHit, took } = await killDuring(session, 'conmon', before, () => podman(...line), time[kind])
        time[kind] ??= took
        if (isHit) hits[kind]!++
        if (goesOn) expect(await podman('exec', name, 'true'), at).toMatchObject({ status: 0 })
        await podman('rm', '-f', '-i', '-t', '0', name)
        expect(await podman('ps', '-a', '--format', '{{.Names}}'), at).toEqual({ status: 0, stdout: '', stderr: '' })
        // Podman 4.3 lets the runtime delete no container whose conmon has ended
        for (const id of (await session.output([session.program, 'list', '-q'])).split('\n').filter(Boolean))
          expect(await session.run([session.program, 'delete', '--force', id]), at).toMatchObject({
            status: 0,
            stderr: '',
          })
        const again = ['run', '--rm', '--name', name, '--net', 'none', busybox, 'sh', '-c', 'exit 7']
        expect(await podman(...again), at).toMatchObject({ status: 7 })
        const find = ['find', '/sys/fs/cgroup', '-name', 'libpod-*', '-not', '-name', 'libpod-conmon-*']
        // runc that is killed in create leaves groups that it does not know afterwards
        if (runtime.name !== 'runc') expect(await session.until(() => session.output(find), /^$/), at).toBe('')
        const left = () => session.processes().filter((pid) => !idle.includes(pid))
        expect(await session.until(() => left().join(' '), /^$/), at).toBe('')
      }
      process.stderr.write(`${runtime.name}, conmon killed in time: ${hits}\n`)
      for (const count of hits) expect(count, `hits ${hits}`).toBeGreaterThan(0)
    })
  })

  describe('containerd', () => {
    let session: Session
    let idle: number[]
    const ctr = (...words: string[]) => session.run(['ctr', ...words])
    const run = ['run', '--runc-binary', '', busybox, 'task', 'sh', '-c']
    const kinds: readonly Kind[] = [
      { what: 'run', exists: false, isNew: true, words: ['RUN', '--detach', loop], goesOn: false },
      {
        what: 'exec',
        exists: true,
        isNew: false,
        words: ['tasks', 'exec', '--detach', '--exec-id', 'e', 'task', 'sleep', '1000'],
        goesOn: false,
      },
      { what: 'pause', exists: true, isNew: false, words: ['tasks', 'pause', 'task'], goesOn: false },
      { what: 'delete', exists: true, isNew: false, words: ['tasks', 'delete', '--force', 'task'], goesOn: false },
    ]
    /** The words of `ctr run`. */
    const line = (flag: string, script: string) => {
      const [command = '', binary = '', , ...rest] = run
      return [command, flag, binary, session.program, ...rest, script]
    }
    beforeAll(async () => {
      session = await openContainerd('ctr', runtime)
      await session.output(['ctr', 'images', 'import', busyboxArchive])
      await ctr(...line('--rm', 'true'))
      idle = session.processes()
    }, 300_000)
    afterAll(() => session.close())

    test(`the shim is killed at ${rounds} random moments`, { timeout: 1_800_000 }, async () => {
      const shim = 'containerd-shim'
      const time: number[] = []
      const hits = kinds.map(() => 0)
      // in the first rounds nothing is killed: they show how long each takes
      for (let round = -kinds.length; round < rounds; round++) {
        const kind = (round + kinds.length) % kinds.length
        const { what, exists, words } = kinds[kind]!
        const at = `${what}, seed ${seed}, round ${round}`
        if (exists) await session.output(['ctr', ...line('--detach', loop)])
        const given = words[0] === 'RUN' ? line('--detach', loop) : words
        const { isHit, took } = await killDuring(session, shim, [], () => ctr(...given), time[kind])
        time[kind] ??= took
        if (isHit) hits[kind]!++
        await session.until(async () => {
          await ctr('tasks', 'delete', '--force', 'task')
          await ctr('containers', 'delete', 'task')
          return (await ctr('containers', 'ls', '-q')).stdout + (await ctr('tasks', 'ls', '-q')).stdout
        }, /^$/)
        expect(await ctr(...line('--rm', 'exit 7')), at).toMatchObject({ status: 7 })
        expect(await session.until(() => session.output(['find', '/sys/fs/cgroup', '-name', 'task']), /^$/), at).toBe(
          '',
        )
        const left = () => session.processes().filter((pid) => !idle.includes(pid))
        expect(await session.until(() => left().join(' '), /^$/), at).toBe('')
      }
      process.stderr.write(`${runtime.name}, shim killed in time: ${hits}\n`)
      for (const count of hits) expect(count, `hits ${hits}`).toBeGreaterThan(0)
    })
  })
})
