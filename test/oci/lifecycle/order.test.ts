// SPDX-License-Identifier: Apache-2.0
// Each command in each status of a container, also in the wrong order: hutch answers as runc does, with the words that callers look for.
import { afterAll, describe, expect, test } from 'vitest'
import { type Ground, makeGround, type RuntimeName, runtimeNames } from '../../support/oci-runtime.ts'
import { requires } from '../../support/requires.ts'
import { sampled } from '../../support/sample.ts'

const statuses = ['absent', 'created', 'running', 'paused', 'stopped'] as const
type Status = (typeof statuses)[number]

const prelude: { [status in Status]: readonly string[][] } = {
  absent: [],
  created: [['create']],
  running: [['create'], ['start']],
  paused: [['create'], ['start'], ['pause']],
  stopped: [['create'], ['start'], ['kill', 'KILL']],
}

/** Commands, the id behind the first word. */
const commands: readonly string[][] = [
  ['start'],
  ['state'],
  ['kill', 'TERM'],
  ['kill', 'KILL'],
  ['kill', 'SIGURG'],
  ['kill', '0'],
  ['kill', '65'],
  ['kill', 'SIGNONE'],
  ['delete'],
  ['pause'],
  ['resume'],
  ['update', '--pids-limit', '33'],
  ['exec', 'true'],
  ['exec', 'sh', '-c', 'exit 7'],
  ['ps'],
  ['ps', '--format', 'json'],
  ['events', '--stats'],
  ['create'],
]

/** What callers look for in an error. */
const wordsOfCallers =
  /does not exist|container not running|cannot start an already running container|cannot start a container that has stopped|not paused|already exists|is not stopped: \w+|no such process|cannot exec in a \w+ container/

/** Where only the words differ, in which nobody looks: hutch reads the signal first, and says of events that the container does not run. */
const ownWords = [
  'absent kill 65',
  'stopped kill 65',
  'absent kill SIGNONE',
  'stopped kill SIGNONE',
  'stopped events --stats',
]

const grounds = {} as { [name in RuntimeName]: Ground }
afterAll(() => Object.values(grounds).forEach(({ remove }) => void remove()))

/** Puts a new container into a status, and returns its id. */
async function containerIn(ground: Ground, status: Status): Promise<string> {
  const id = ground.newId()
  const bundle = ground.bundle(id)
  for (const [command = '', ...rest] of prelude[status]) {
    const words = command === 'create' ? ['create', '--bundle', bundle, id] : [command, id, ...rest]
    expect(ground.call(words)).toMatchObject({ status: 0, stderr: '' })
  }
  if (status === 'stopped') await ground.becomes(id, 'stopped')
  return id
}

/** Runs a command, and returns what a caller sees of it: how it ended, its words, and the status that it leaves. */
async function answer(ground: Ground, status: Status, [command = '', ...rest]: readonly string[]) {
  const id = await containerIn(ground, status)
  const words = command === 'create' ? ['create', '--bundle', `${ground.path}/${id}`, id] : [command, id, ...rest]
  const { status: ended, stdout, stderr } = ground.call(words)
  const [found] = wordsOfCallers.exec(stderr) ?? ['']
  // runc has null for an empty list
  const isJson = /^([[{]|null)/.test(stdout)
  if (isJson) JSON.parse(stdout)
  ground.call(['delete', '--force', id])
  return { ended, found, isQuiet: ended !== 0 || stderr === '', output: isJson ? 'JSON' : stdout.split(/\s/)[0] }
}

describe.for(statuses)('%s', (status) => {
  test.for(sampled(commands, true).map((command) => [command.join(' '), command] as const))(
    '%s',
    async ([, command], context) => {
      requires(context, 'root', 'busybox', 'runc(8)')
      for (const name of runtimeNames) grounds[name] ??= makeGround(name)
      const hutch = await answer(grounds.hutch, status, command)
      const runc = await answer(grounds.runc, status, command)
      const sameWords = !ownWords.includes([status, ...command].join(' '))
      expect(hutch).toEqual(sameWords ? runc : { ...runc, found: hutch.found })
    },
  )
})
