// SPDX-License-Identifier: Apache-2.0
// A command on a terminal of its own, by script(1), and keys that are typed into it.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { tryKill } from '../support/test-groups.ts'

const slow = process.env.VM ? 10 : 1

type Script = [waitFor: RegExp, keys: string][]

/** Types each line when the output so far has what it waits for. Nothing that it started is left, even if it gives up. */
export async function type(command: string, script: Script): Promise<string> {
  return (await converse(command, script)).out
}

/**
 * Types like `type`, and then closes the terminal when the output has `last`. Returns the processes on it that have not
 * ended 5 s later, and ends them.
 */
export async function hangUp(command: string, script: Script, last: RegExp): Promise<string[]> {
  return (await converse(command, script, last)).left
}

async function converse(command: string, script: Script, last?: RegExp): Promise<{ out: string; left: string[] }> {
  const child = spawn('script', ['-qfec', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TERM: 'dumb', NO_COLOR: '' },
  })
  let started: number[] = []
  const end = () => {
    started = descendants(child.pid!)
    child.kill('SIGKILL')
  }
  const giveUp = setTimeout(end, 20_000 * slow)
  let out = ''
  let from = 0
  child.stdout.on('data', (data) => {
    out += data
    const next = script[0]
    if (!next && last?.test(out.slice(from))) return end()
    if (!next?.[0].test(out.slice(from))) return
    from = out.length
    script.shift()
    setTimeout(() => child.stdin.write(next[1]), 100 * slow)
  })
  await new Promise((resolve) => child.on('close', resolve))
  clearTimeout(giveUp)
  return { out: out.replaceAll('\r', ''), left: await remaining(started) }
}

function descendants(pid: number): number[] {
  const children = readProc(pid, `task/${pid}/children`).split(' ').filter(Boolean).map(Number)
  return children.flatMap((child) => [child, ...descendants(child)])
}

/** Returns the command lines of the processes that do not end, and ends them. */
async function remaining(pids: readonly number[]): Promise<string[]> {
  const lines = () => pids.flatMap((pid) => readProc(pid, 'cmdline').replaceAll('\0', ' ') || [])
  for (let pass = 0; pass < 50 * slow && lines().length > 0; pass++) await pause(100)
  const left = lines()
  for (const pid of left.length > 0 ? pids : []) tryKill(pid)
  return left
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
