// SPDX-License-Identifier: Apache-2.0
// A terminal that can be typed into and looked at: tmux, with a server of its own.
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { cli } from '../support/command.ts'

const socket = `${tmpdir()}/hutch-test-${process.pid}.tmux`

function tmux(...args: string[]): string {
  return execFileSync('tmux', ['-S', socket, '-f', '/dev/null', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** A shell in a terminal of this size; `hutch` and `node` are in its path. */
export function openTerminal(columns: number, rows: number): void {
  const shell = 'env -i PATH="$PATH" TERM="$TERM" PS1="prompt> " bash --norc --noprofile'
  tmux('new-session', '-d', '-x', String(columns), '-y', String(rows), shell)
  tmux('set-option', '-g', 'status', 'off')
}

/** Ends it, and what runs in it. */
export function closeTerminal(): void {
  try {
    tmux('kill-server')
  } catch {
    // there was none
  }
  rmSync(socket, { force: true })
}

/** What stands there now. */
export function screen(): string {
  return tmux('capture-pane', '-p')
}

/** Its terminal's device. */
export function terminal(): string {
  return tmux('display', '-p', '#{pane_tty}').trim()
}

/** Types keys by tmux's names, such as `Enter` and `q`. */
export function press(...keys: string[]): void {
  tmux('send-keys', ...keys)
}

/** Types text as it is. */
export function write(text: string): void {
  tmux('send-keys', '-l', text)
}

export function resize(columns: number, rows: number): void {
  tmux('resize-window', '-x', String(columns), '-y', String(rows))
}

/** From now on all that is written to the terminal goes into this file. */
export function record(file: string): void {
  tmux('pipe-pane', '-o', `cat > ${file}`)
}

/** The screen, when it has what is waited for twice in a row: a frame comes through the terminal in pieces. */
export async function until(wanted: RegExp | ((screen: string) => boolean), what = String(wanted)): Promise<string> {
  const give = Date.now() + (process.env.VM ? 120_000 : 20_000)
  for (let times = 0; ; ) {
    const now = screen()
    times = (typeof wanted === 'function' ? wanted(now) : wanted.test(now)) ? times + 1 : 0
    if (times === 2) return now
    if (Date.now() > give) throw new Error(`${what} did not come; the screen has\n${now}`)
    await pause(process.env.VM ? 500 : 50)
  }
}

/** hutch in that shell. */
export function start(...args: string[]): void {
  write(`${process.execPath} ${cli} ${args.join(' ')}`)
  press('Enter')
}
