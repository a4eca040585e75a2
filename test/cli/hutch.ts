// SPDX-License-Identifier: Apache-2.0
// Runs the built hutch as a user does.
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, vi } from 'vitest'
import { hutchArgs, hutchFile, hutchHost } from '../support/command.ts'

/** What it printed, and its exit status. */
export interface Ended {
  status: number | null
  stdout: string
  stderr: string
}

/** `hutch ARGS…`, with nothing on stdin; `uid` runs it as another user. */
export function hutch(
  args: string[],
  options: { uid?: number; cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  return collect(hutchFile, [...hutchArgs, ...args], options)
}

/** Any command, its output collected. */
export function collect(command: string, args: string[], options: object = {}): Promise<Ended> {
  return begin(command, args, options).ended
}

/** A command that runs, and what it has printed so far. */
export interface Running {
  pid: number
  ended: Promise<Ended>
  said(): string
}

/** The same, while it runs. */
export function begin(command: string, args: string[], options: object = {}): Running {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  const text = { stdout: '', stderr: '' }
  const ended = new Promise<Ended>((resolve, reject) => {
    for (const key of ['stdout', 'stderr'] as const)
      child[key].on('data', (data: Buffer) => {
        text[key] += data
      })
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, ...text }))
  })
  return { pid: child.pid!, ended, said: () => text.stdout }
}

/** Until it has printed that. */
export async function heard({ said }: Running, wanted: RegExp): Promise<void> {
  while (!wanted.test(said())) await pause(20)
}

/** Until a process has become that program: a shell's child is a shell first. */
export async function becomes(pid: number, program: string): Promise<void> {
  await vi.waitFor(() => expect(readFileSync(`/proc/${pid}/comm`, 'utf8')).toBe(`${program}\n`), 30_000)
}

/**
 * Until a hutch that looks at groups again and again has looked at all of them since now: thrice it has read and then paused, as
 * the first time may have begun before, and a busy machine may stop it in between.
 */
export async function hasLooked(pid: number): Promise<void> {
  const reads = () => /^syscr: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))![1]
  let before = reads()
  let isReading = false
  for (let looks = 0; looks < 3; ) {
    await pause(20)
    const now = reads()
    if (isReading && now === before) looks++
    isReading = now !== before
    before = now
  }
}

/** CPU time that a process has used, in clock ticks: proc_pid_stat(5). */
export function ticks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return Number(fields[11]) + Number(fields[12])
}

/** Until a process has begun to watch files and waits for what comes; it makes all its watches in one go. */
export async function watching(pid: number): Promise<void> {
  const hasBegun = () =>
    readdirSync(`/proc/${pid}/fdinfo`).some((fd) => {
      try {
        return readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8').includes('inotify wd:')
      } catch {
        return false
      }
    })
  for (const give = Date.now() + 40_000; !hasBegun(); await pause(20))
    if (Date.now() > give) throw new Error(`process ${pid} watches nothing`)
  await settled(pid)
}

/** Until a process that was just started has done its work and waits. */
export async function settled(pid: number): Promise<void> {
  for (let before = -1; ; ) {
    await pause(process.env.VM ? 2500 : 500)
    const now = ticks(pid)
    // Node's own start takes more than 3 ticks
    if (now === before && (now > 3 || hutchHost === 'standalone')) return
    before = now
  }
}
