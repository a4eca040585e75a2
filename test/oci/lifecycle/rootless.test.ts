// SPDX-License-Identifier: Apache-2.0
// Containers of a user without root, in no control group of their own: the whole life, and kill of one whose processes only its first one leads to.
import { chownSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { hutchAs } from '../../support/anyone.ts'
import { makeGround } from '../../support/oci-runtime.ts'
import { requires } from '../../support/requires.ts'

const ground = makeGround('hutch')
afterAll(ground.remove)

const user = 1000
const map = [{ containerID: 0, hostID: user, size: 1 }]
/** The container keeps the streams of create. */
const apart = ['sh', '-c', 'exec "$@" < /dev/null > /dev/null 2>&1', 'sh']

test.for<[string, string[], string[]]>([
  ['with an own pid namespace', ['pid'], ['kill', 'ID', 'KILL']],
  ['without an own pid namespace', [], ['kill', 'ID', 'KILL']],
  ['without an own pid namespace, by --all', [], ['kill', '--all', 'ID', 'KILL']],
])('a container %s', async ([, pid, kill], context) => {
  requires(context, 'root', 'busybox')
  const id = ground.newId()
  const proc = pid.length > 0 ? { type: 'proc', source: 'proc' } : { type: 'bind', source: '/proc', options: ['rbind'] }
  const bundle = ground.bundle(id, {
    mounts: [
      { destination: '/proc', ...proc },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
    ],
    'linux.namespaces': ['user', 'mount', 'uts', 'ipc', ...pid].map((type) => ({ type })),
    'linux.uidMappings': map,
    'linux.gidMappings': map,
  })
  chownSync(bundle, user, user)
  const root = ['oci', '--log', `${bundle}/log`, '--root', `${bundle}/state`]
  const call = async (words: string[], before: string[] = []) =>
    (await hutchAs(user, [...root, ...words], before)).ended
  writeFileSync(`${bundle}/pid`, '')
  chownSync(`${bundle}/pid`, user, user)
  const made = await call(['create', '--pid-file', `${bundle}/pid`, '--bundle', bundle, id], apart)
  const log = existsSync(`${bundle}/log`) ? readFileSync(`${bundle}/log`, 'utf8') : ''
  expect({ status: made.status, log }).toEqual({ status: 0, log: '' })
  expect(await call(['start', id])).toMatchObject({ status: 0 })
  expect(await call(['exec', id, 'id', '-u'])).toMatchObject({ status: 0, stdout: '0\n' })
  expect(await call(['state', id])).toMatchObject({ stdout: expect.stringContaining('"running"') })
  expect(readFileSync(`/proc/${readFileSync(`${bundle}/pid`, 'utf8')}/status`, 'utf8')).toMatch(/^Uid:\s+1000\s/m)
  const shown = (await call(['ps', id])).stdout.split('\n')
  expect([shown[0], shown.slice(1).filter(Boolean).length]).toEqual([expect.stringContaining('PID'), 1])
  expect(shown[1]).toMatch(/ sleep 1000$/)
  const listed = (await call(['ps', '--format', 'json', id])).stdout
  expect(listed).toBe(`[${readFileSync(`${bundle}/pid`, 'utf8')}]\n`)
  expect(await call(kill.map((word) => (word === 'ID' ? id : word)))).toMatchObject({ status: 0 })
  await expect.poll(async () => (await call(['state', id])).stdout, { timeout: 10_000 }).toContain('"stopped"')
  expect(await call(['delete', id])).toMatchObject({ status: 0, stderr: '' })
})
