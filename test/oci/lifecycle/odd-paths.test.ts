// SPDX-License-Identifier: Apache-2.0
// Bundles and roots with unusual names: spaces, newlines, and more characters than the name of a socket can have, although containers listen in
// their root. Names that are not UTF-8 cannot be in a state, which is JSON, and are refused as such.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { makeGround, runtimeNames } from '../../support/oci-runtime.ts'
import { requires } from '../../support/requires.ts'

const ground = makeGround('hutch')
afterAll(ground.remove)
beforeEach((context) => requires(context, 'root', 'busybox'))

const long = 'l'.repeat(200)

/** Words before a command, with another directory for the state. */
const at = (root: string) => ['--root', root]

test.for<[string, string]>([
  ['a space', 'a b'],
  ['a newline', 'a\nb'],
  ['a quote and a backslash', `a'"\\b`],
  ['a text of other letters', 'größe-容器'],
  ['600 characters', `${long}/${long}/${long}`],
])('a bundle and a root with %s', ([, name]) => {
  const id = ground.newId()
  const plain = ground.bundle(id)
  const root = `${ground.path}/roots-${id}/${name}`
  const bundle = `${ground.path}/bundles-${id}/${name}`
  mkdirSync(bundle, { recursive: true })
  copyFileSync(`${plain}/config.json`, `${bundle}/config.json`)
  const call = (...words: string[]) => ground.call([...at(root), ...words])
  const pidFile = `${bundle}/a pid`
  const words = ['--pid-file', pidFile, '--bundle', bundle, id]
  expect(call('create', ...words)).toEqual({ status: 0, stdout: '', stderr: '' })
  expect(call('start', id)).toEqual({ status: 0, stdout: '', stderr: '' })
  expect(call('exec', id, 'echo', 'hi')).toEqual({ status: 0, stdout: 'hi\n', stderr: '' })
  const state = JSON.parse(call('state', id).stdout)
  expect(state).toMatchObject({ status: 'running', bundle, pid: Number(readFileSync(pidFile, 'utf8')) })
  expect(JSON.parse(call('list', '--format', 'json').stdout)).toMatchObject([{ id, bundle }])
  expect(call('delete', '--force', id)).toEqual({ status: 0, stdout: '', stderr: '' })
  expect(readdirSync(root).filter((entry) => !entry.startsWith('.'))).toEqual([])
})

test.for([...runtimeNames])('ids that are no names are refused by %s', (name) => {
  const other = name === 'hutch' ? ground : makeGround(name)
  const bundle = other.bundle('hutch-odd')
  for (const id of ['a b', 'a\nb', 'a/b', '..', '', 'ä'])
    expect(other.call(['create', '--bundle', bundle, id]).status, JSON.stringify(id)).toBe(1)
  // the control: any other word
  const id = other.newId()
  expect(other.call(['create', '--bundle', bundle, id])).toMatchObject({ status: 0, stderr: '' })
  expect(other.call(['delete', '--force', id])).toMatchObject({ status: 0 })
  if (other !== ground) other.remove()
})

test('a bundle or a root that is not UTF-8 is refused, and nothing is made', () => {
  const id = ground.newId()
  const plain = ground.bundle(id)
  // arguments of a process of Node are UTF-8, those of a shell are not
  const oci = ground.words.slice(0, -2).join(' ')
  const shell = (script: string) => {
    const { status, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8' })
    return { status, stderr }
  }
  const odd = `$(printf '${ground.path}/odd\\377')`
  expect(shell(`mkdir "${odd}" && cp ${plain}/config.json "${odd}"`)).toEqual({ status: 0, stderr: '' })
  const rooted = shell(`exec ${oci} --root "${odd}" create --bundle ${plain} ${id}`)
  expect(rooted).toEqual({ status: 1, stderr: expect.stringMatching(/for --root: it is not UTF-8/) })
  const bundled = shell(`exec ${oci} --root ${ground.root} create --bundle "${odd}" ${id}`)
  expect(bundled).toEqual({ status: 1, stderr: expect.stringMatching(/for --bundle: it is not UTF-8/) })
  expect(existsSync(`${ground.root}/${id}`)).toBe(false)
})
