// SPDX-License-Identifier: Apache-2.0
// Containers and units by the names that engines and systemd give their groups: no engine has to be there.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cgroup, HutchError, why } from '../../../src/index.ts'
import { buildDirectory } from '../../../src/system/native.ts'
import { hutch } from '../../cli/hutch.ts'

const hog = `${buildDirectory}/bin/hutch`
const top = `/hutch-test-${process.pid}-names`
const tight = { 'memory.max': '8M', 'memory.swap.max': 0 }

beforeAll(async () => {
  await Cgroup.create(top)
})
afterAll(() => Cgroup.open(top).remove({ recursive: true, kill: true }))

/** Makes a group and those above it, and has one process in it killed for memory. */
async function kill(path: string): Promise<Cgroup> {
  const parts = path.split('/')
  for (let i = 1; i < parts.length; i++) await ensure(`${top}/${parts.slice(0, i).join('/')}`, {})
  const group = await ensure(`${top}/${path}`, tight)
  const join = [...new Set(Object.values(group.directories))].map((at) => `echo 0 > ${at}/cgroup.procs`).join(';')
  await once(spawn('sh', ['-c', `${join}; exec ${hog} hog 20M`], { stdio: 'ignore' }), 'exit')
  return group
}

const ensure = (path: string, files: object) => Cgroup.create(path, { files: files as never, mayExist: true })

const newId = () => `a${randomBytes(32).toString('hex').slice(1)}`
const uid = '8c9d1f00-12ab-4cde-8f01-0123456789ab'
const pod = `kubepods-burstable-pod${uid.replaceAll('-', '_')}.slice`
const places: [string, (id: string) => string][] = [
  ['Docker under systemd', (id) => `docker-${id}.scope`],
  ['Docker with cgroupfs', (id) => `docker/${id}`],
  ['containerd of Kubernetes', (id) => `kubepods.slice/kubepods-burstable.slice/${pod}/cri-containerd-${id}.scope`],
  ['Kubernetes with cgroupfs', (id) => `kubepods/besteffort/pod${uid}/${id}`],
  ['CRI-O', (id) => `crio-${id}.scope`],
  ['Podman', (id) => `libpod-${id}.scope`],
]

test.each(places)('a container of %s is found by its id, whole, short or as kubectl writes it', async (_, make) => {
  const id = newId()
  const { path } = await kill(make(id))
  for (const name of [id, id.slice(0, 12), `containerd://${id}`])
    expect(why(name)).toMatchObject({
      target: { kind: 'group', path },
      cause: { kind: 'oom', limit: { file: 'memory.max', group: path, level: 'own' } },
    })
})

test('a short id of two containers is refused, and the candidates are listed', async () => {
  const ids = ['0', '1'].map((last) => `${newId().slice(0, 20)}`.padEnd(63, '0') + last)
  const shared = ids[0]!.slice(0, 20)
  const paths = await Promise.all(
    ids.map(async (id, i) => (await ensure(`${top}/docker-${shared}${id.slice(20, 63)}${i}.scope`, {})).path),
  )
  expect(() => why(shared)).toThrowError(expect.objectContaining({ code: 'CGROUP_AMBIGUOUS', evidence: paths.sort() }))
})

test('a pod is found by its uid', async () => {
  const other = uid.replace('8c9d1f00', '9d9d1f00')
  const slice = `kubepods.slice/kubepods-pod${other.replaceAll('-', '_')}.slice`
  await kill(`${slice}/cri-containerd-${newId()}.scope`)
  expect(why(other)).toMatchObject({
    target: { path: `${top}/${slice}` },
    cause: { kind: 'oom', limit: { level: 'below' } },
  })
})

test('a unit is found with its suffix and without, of the system and of a user, and by the log if it is gone', async () => {
  const unit = `hutch-test-${process.pid}-web`
  const group = await kill(`user-1000.slice/user@1000.service/app.slice/${unit}.service`)
  for (const name of [unit, `${unit}.service`])
    expect(why(name)).toMatchObject({ target: { path: group.path }, cause: { kind: 'oom', limit: { level: 'own' } } })
  const printed = await hutch(['why', unit])
  expect([printed.status, printed.stdout.split('\n')[0]]).toEqual([0, expect.stringContaining('killed (OOM)')])
  await group.remove()
  // the kernel leaves out reports above ten in five seconds, of whoever's
  for (let tries = 0; ; tries++) {
    try {
      expect(why(`${unit}.service`)).toMatchObject({
        target: { there: false, path: group.path },
        cause: { kind: 'oom', confidence: 'certain', limit: { level: 'own' } },
      })
      break
    } catch (error) {
      if (tries === 12 || !HutchError.is(error)) throw error
      await pause(1000)
      await (await kill(`user-1000.slice/user@1000.service/app.slice/${unit}.service`)).remove()
    }
  }
})

test('what is no id, no unit and no group is still refused', () => {
  for (const name of ['abcdef0123456789', 'no-such-unit.service', '99999999'])
    expect(() => why(name)).toThrowError(expect.objectContaining({ code: 'WHY_TARGET_UNKNOWN' }))
})
