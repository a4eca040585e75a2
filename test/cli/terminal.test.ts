// SPDX-License-Identifier: Apache-2.0
// A terminal stays a terminal: script(1) gives one.
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { requires } from '../requires.ts'
import { cli } from './hutch.ts'

const slow = process.env.VM ? 10 : 1

/** Types each line when the output so far has what it waits for, and all else is ready. */
function type(command: string, script: [waitFor: RegExp, keys: string, isReady?: () => boolean][]): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn('script', ['-qfec', command, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, TERM: 'dumb', NO_COLOR: '' },
    })
    const giveUp = setTimeout(() => child.kill('SIGKILL'), 20_000 * slow)
    let out = ''
    let from = 0
    child.stdout.on('data', (data) => {
      out += data
      const next = script[0]
      if (!next?.[0].test(out.slice(from))) return
      from = out.length
      script.shift()
      const press = () => {
        if (next[2]?.() === false) setTimeout(press, 50)
        else child.stdin.write(next[1])
      }
      setTimeout(press, 100 * slow)
    })
    child.on('close', () => {
      clearTimeout(giveUp)
      resolve(out.replaceAll('\r', ''))
    })
  })
}

const nap = `${100 + process.pid / 1e6}`

/** Whether the sleep is what its terminal's keys go to: proc_pid_stat(5) has its group, and its terminal's foreground group. */
function isInFront(): boolean {
  return readdirSync('/proc').some((pid) => {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== `sleep\0${nap}\0`) return false
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
      return fields[0] !== 'T' && fields[2] === fields[5]
    } catch {
      return false
    }
  })
}

const hutchRun = `${process.execPath} ${cli} run --`

test('bash is an interactive shell with job control', async (context) => {
  requires(context, 'script(1)')
  const out = await type(`${hutchRun} bash --norc -i`, [
    [/[#$] $/, `tty; sleep ${nap}\n`],
    [/pts/, '\x1a', isInFront],
    [/Stopped[\s\S]*[#$] $/, 'jobs; fg\n'],
    [/\nsleep [\d.]+\r?\n$/, '\x03', isInFront],
    [/[#$] $/, 'echo status $?\n'],
    [/status 130[\s\S]*[#$] $/, 'exit 5\n'],
  ])
  expect(out).toMatch(/^\/dev\/pts\/\d+$/m)
  expect(out).toMatch(/^\[1\]\+ {2}Stopped +sleep [\d.]+$/m)
  expect(out).toMatch(/^status 130$/m)
  expect(out).not.toContain('no job control')
})

test('Ctrl-C ends the command once, and hutch with 130', async (context) => {
  requires(context, 'script(1)')
  const out = await type(
    `trap : INT; ${hutchRun} sh -c 'trap "echo caught; exit 8" INT; echo up; while :; do sleep 0.1; done'; echo status $?`,
    [[/up/, '\x03']],
  )
  expect(out.match(/caught/g)).toHaveLength(1)
  expect(out).toMatch(/^status 8$/m)
})

test('the verdict is coloured on a terminal only', async (context) => {
  requires(context, 'script(1)')
  expect(await type(`${hutchRun} no-such-command`, [])).toContain('\x1b[1;31mhutch: cannot run no-such-command')
  expect(await type(`NO_COLOR=1 ${hutchRun} no-such-command`, [])).not.toContain('\x1b[')
})
