// SPDX-License-Identifier: Apache-2.0
// Hooks that run before the root changes see the container's mounts below its root directory, in its mount namespace, and can add to them, as
// hooks for graphics cards do. The host sees none of these mounts, and nothing is left after a kill.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeGround, runtimeNames } from '../../support/oci-runtime.ts'
import { requires } from '../../support/requires.ts'
import { expectDeletable, expectNoOrphan, killIfThere, membersOf, ownMounts } from './kills.ts'

const points = ['prestart', 'createRuntime', 'createContainer'] as const
type Point = (typeof points)[number]

const map = [{ containerID: 0, hostID: 0, size: 65536 }]
const inUserNamespace = {
  'linux.namespaces': ['mount', 'pid', 'user'].map((type) => ({ type })),
  'linux.uidMappings': map,
  'linux.gidMappings': map,
}

/** Returns the processes that have mounts below a directory. */
const usersOf = (path: string) =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(`${path}/`)
    } catch {
      return false
    }
  })

describe.each(runtimeNames)('%s', (name) => {
  const ground = makeGround(name)
  const { call, begin } = ground
  afterAll(ground.remove)
  beforeEach((context) =>
    requires(
      context,
      'root',
      'busybox',
      'nsenter(1)',
      'unshare(1)',
      ...(name === 'runc' ? (['runc(8)'] as const) : []),
    ),
  )

  /**
   * A container whose hook runs a script in its mount namespace, and then waits at a pipe until the test writes. The
   * command writes what it sees to /log.
   */
  function hooked(point: Point, script: string, changes: { [path: string]: unknown } = {}) {
    const id = ground.newId()
    const place = `${ground.path}/${id}-files`
    const [rootfs, log, seen, added, pipe] = ['rootfs', 'log', 'seen', 'added', 'pipe'].map((one) => `${place}/${one}`)
    mkdirSync(place)
    cpSync(ground.image, rootfs!, { recursive: true, verbatimSymlinks: true })
    for (const file of [log!, seen!]) writeFileSync(file, '')
    writeFileSync(added!, 'added by a hook\n')
    execFileSync('mkfifo', [pipe!])
    const text = script.replaceAll('ROOT', rootfs!).replaceAll('ADDED', added!)
    const inside = `{ ${text}; } > ${seen} 2>&1`
    const enters = `export pid=$(sed 's/.*"pid": *\\([0-9]*\\).*/\\1/'); nsenter -t "$pid" -m sh -c '${inside}'`
    const line = `${point === 'createContainer' ? inside : enters}; cat ${pipe}`
    const bundle = ground.bundle(id, {
      root: { path: rootfs },
      'process.args': ['sh', '-c', '(cat /etc/x; cat /proc/self/mountinfo) > /log 2>&1'],
      mounts: [
        { destination: '/proc', type: 'proc', source: 'proc' },
        { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
        { destination: '/log', type: 'bind', source: log, options: ['bind'] },
      ],
      [`hooks.${point}`]: [{ path: '/bin/sh', args: ['sh', '-c', line], env: ['PATH=/usr/bin:/bin:/usr/sbin:/sbin'] }],
      ...changes,
    })
    /** Resolves when the script has ended; the hook goes on after the returned function. */
    const reached = async () => {
      const writer = await open(pipe!, 'w')
      return () => writer.close()
    }
    const read = (file: string) => readFileSync(file, 'utf8')
    return { id, bundle, place, rootfs: rootfs!, reached, seen: () => read(seen!), log: () => read(log!) }
  }

  const bind = ': > ROOT/etc/x; mount --bind ADDED ROOT/etc/x'

  /** Creates and runs a container to its end. The host has no mounts in its place meanwhile and afterwards. */
  async function passes({ id, bundle, place, reached }: ReturnType<typeof hooked>, options: string[] = []) {
    const creating = begin(['create', ...options, '--bundle', bundle, id])
    const goOn = await reached()
    const meanwhile = ownMounts(ground)
    await goOn()
    expect(await creating).toMatchObject({ status: 0, stderr: '' })
    expect([meanwhile, ownMounts(ground)]).toEqual([[], []])
    expect(call(['start', id])).toMatchObject({ status: 0 })
    await ground.becomes(id, 'stopped')
    expect(call(['delete', id]).status).toBe(0)
    expect(usersOf(place)).toEqual([])
  }

  /** Returns the mount points of a text of /proc/self/mountinfo. */
  const pointsOf = (text: string) =>
    text
      .split('\n')
      .map((line) => line.split(' ')[4])
      .filter((path) => path !== undefined)

  test.for(points)('a hook of %s sees the mounts of the container', async (point) => {
    const look = 'stat -f -c %T ROOT/proc ROOT/dev; ls ROOT/proc/1/comm; stat -c "%F %t %T" ROOT/dev/null'
    const one = hooked(point, `${look}; cat ROOT/log; echo over`)
    await passes(one)
    expect(one.seen()).toBe(`proc\ntmpfs\n${one.rootfs}/proc/1/comm\ncharacter special file 1 3\nover\n`)
  })

  test.for(
    points.flatMap((point) => [
      [point, 'a root of its own', {}, []] as const,
      [point, 'a root that becomes read-only', { 'root.readonly': true }, []] as const,
      [point, 'a root that receives mounts', { 'linux.rootfsPropagation': 'rslave' }, []] as const,
      [point, 'a root that is moved', {}, ['--no-pivot']] as const,
      [point, 'a user namespace', inUserNamespace, []] as const,
    ]),
  )('the container sees what a hook of %s mounts: %s', async ([point, , changes, options]) => {
    const one = hooked(point, bind, changes)
    await passes(one, [...options])
    expect(one.seen()).toBe('')
    const [first, ...mounts] = one.log().split('\n')
    expect(first).toBe('added by a hook')
    const found = pointsOf(mounts.join('\n'))
    // a moved root leaves those of the host behind, out of reach
    const own = options.length > 0 ? ['/etc/x'] : ['/', '/proc', '/dev', '/log', '/etc/x']
    expect(found.filter((path) => own.includes(path))).toEqual(own)
    // in a user namespace, devices are mounts too
    if (options.length === 0)
      expect(found.filter((path) => !own.includes(path) && !/^\/dev\/\w+$/.test(path))).toEqual([])
  })

  test.for(points.flatMap((point) => ['rprivate', 'rslave'].map((propagation) => [point, propagation] as const)))(
    'a shared mount of the host gets nothing of a hook of %s in a root that is %s',
    async ([point, propagation]) => {
      const { id, bundle, place, reached } = hooked(point, bind, { 'linux.rootfsPropagation': propagation })
      // a mount namespace of the runtime, because other tests compare the mounts of this one
      const line = 'mount --bind "$0" "$0" && mount --make-shared "$0" && exec "$@"'
      const words = ['-m', 'sh', '-c', line, place, ...ground.words, 'create', '--bundle', bundle, id]
      const creating = spawn('unshare', words, { stdio: 'ignore' })
      const ended = once(creating, 'exit')
      const goOn = await reached()
      const mounts = readFileSync(`/proc/${creating.pid}/mountinfo`, 'utf8')
      await goOn()
      expect(await ended).toEqual([0, null])
      expect(mounts.split('\n').filter((one) => one.includes(place))).toEqual([expect.stringMatching(/ shared:\d+ /)])
      expect(call(['delete', '--force', id]).status).toBe(0)
    },
  )

  test('a setting of a network device that a hook adds is made', async (context) => {
    requires(context, 'ip(8)')
    const file = '/proc/sys/net/ipv4/conf/added/forwarding'
    const one = hooked('createRuntime', 'nsenter -t "$pid" -n ip link add added type veth peer name other', {
      'linux.sysctl': { 'net.ipv4.conf.added.forwarding': '1' },
      'process.args': ['sh', '-c', `cat ${file} > /log 2>&1`],
    })
    await passes(one)
    expect([one.seen(), one.log()]).toEqual(['', '1\n'])
  })

  test('a link that takes the place of the root during a hook leads nowhere', async () => {
    if (name === 'runc') return
    const one = hooked('createRuntime', bind)
    const other = `${one.place}/other`
    mkdirSync(`${other}/etc`, { recursive: true })
    writeFileSync(`${other}/etc/x`, 'of another directory\n')
    const creating = begin(['create', '--bundle', one.bundle, one.id])
    const goOn = await one.reached()
    renameSync(one.rootfs, `${one.place}/moved`)
    symlinkSync(other, one.rootfs)
    await goOn()
    expect(await creating).toMatchObject({ status: 0, stderr: '' })
    expect(call(['start', one.id]).status).toBe(0)
    await ground.becomes(one.id, 'stopped')
    expect(one.log()).toMatch(/^added by a hook\n/)
    expect(readFileSync(`${other}/etc/x`, 'utf8')).toBe('of another directory\n')
  })

  test.for(points)('a kill during a hook of %s leaves nothing', async (point) => {
    if (name === 'runc') return
    const { id, bundle, place, reached } = hooked(point, bind)
    const held = await ground.hold(['create', '--bundle', bundle, id])
    const goOn = await reached()
    expect(usersOf(place)).not.toEqual([])
    expect(killIfThere(held.pid)).toBe(true)
    await held.result
    await goOn()
    await expectNoOrphan(held)
    await vi.waitFor(() => expect([membersOf(id), usersOf(place)]).toEqual([[], []]), 10_000)
    expect(ownMounts(ground)).toEqual([])
    call(['list'])
    // without the hook, whose pipe nobody reads
    expectDeletable(ground, id, ground.bundle(`${id}-next`, { 'linux.cgroupsPath': `/${id}` }))
  })
})
