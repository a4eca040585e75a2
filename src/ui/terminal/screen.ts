// SPDX-License-Identifier: Apache-2.0
// Draws a full-screen terminal page: writes only changed lines, in one write, and restores the terminal at the end.
import { writeSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { fail } from '../../errors/errors.ts'

/** Alternate screen, no cursor, no line wrap, bracketed paste. */
const enter = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[2J'
const leave = '\x1b[0m\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l'
/** Start of a synchronized update, which supporting terminals show at once. */
const begin = '\x1b[?2026h'
const end = '\x1b[?2026l'

interface Screen {
  readonly rows: number
  readonly columns: number
  /** Draws the lines from the top. */
  draw(lines: readonly string[]): void
  /** Makes the next `draw` write all lines. */
  forget(): void
  /** Restores the terminal and stops the process group until it is continued, as Ctrl-Z does. */
  suspend(): void
  /** Restores the terminal. Later calls do nothing. */
  close(): void
}

/** An incomplete sequence. The Escape key looks the same, so its meaning is decided after a short wait. */
const unfinished = /\x1b(?:\[[0-?]*[ -/]*|O)?$/
const escapeDelay = 50
const unfinishedPaste = /\x1b\[200~(?!.*\x1b\[201~)/s

/** Checks the terminal. @throws OPTION_CONFLICT if it cannot show a full screen */
export function checkTerminal(command: string, remedy: string): void {
  const name = `hutch ${command}`
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw fail('OPTION_CONFLICT', { name, why: 'it needs a terminal for its input and output', remedy })
  if (process.env.TERM === 'dumb')
    throw fail('OPTION_CONFLICT', { name, why: 'a terminal of type dumb cannot show a full screen', remedy })
}

/** Opens the screen. `typed` receives input; `resized` is called at a new size, `over` when the terminal is gone. */
export function openScreen(on: { typed: (text: string) => void; resized: () => void; over: () => void }): Screen {
  const { stdin, stdout } = process
  const decoder = new StringDecoder()
  let shown: string[] = []
  let open = false
  let pending = ''
  let late: NodeJS.Timeout | undefined
  const take = () => {
    open = true
    shown = []
    stdin.setRawMode(true)
    write(enter)
  }
  const give = () => {
    if (!open) return
    open = false
    write(leave)
    try {
      stdin.setRawMode(false)
    } catch {
      // the terminal is gone
    }
  }
  const flush = () => {
    const text = pending
    pending = ''
    if (text !== '') on.typed(text)
  }
  const typed = (data: Buffer) => {
    clearTimeout(late)
    pending += decoder.write(data)
    if (unfinishedPaste.test(pending) && pending.length < 1e5) return
    if (unfinished.test(pending)) late = setTimeout(flush, escapeDelay)
    else flush()
  }
  const resized = () => {
    shown = []
    on.resized()
  }
  // the shell has used the terminal in the meantime, whoever stopped the process
  const continued = () => {
    // Node's record of the mode is outdated
    stdin.setRawMode(false)
    take()
    on.resized()
  }
  const stopped = () => stop(process.pid)
  /** Stops the process group as the terminal would, so that a waiting parent stops, too. */
  const stop = (pid: number) => {
    give()
    process.off('SIGTSTP', stopped)
    process.kill(pid, 'SIGTSTP')
    process.on('SIGTSTP', stopped)
    // the kernel does not stop an orphaned process group
    if (!open) continued()
  }
  const listeners = { SIGCONT: continued, SIGTSTP: stopped }
  stdin.on('data', typed)
  stdin.on('end', on.over)
  stdin.on('error', on.over)
  stdout.on('error', on.over)
  stdout.on('resize', resized)
  for (const [signal, listener] of Object.entries(listeners)) process.on(signal, listener)
  // the terminal is restored however the process ends
  process.on('exit', give)
  take()
  return {
    get rows() {
      return stdout.rows || 24
    },
    get columns() {
      return stdout.columns || 80
    },
    draw(lines) {
      if (!open) return
      let text = shown.length === 0 ? '\x1b[2J' : ''
      const fitting = lines.slice(0, stdout.rows || 24)
      // erase first: erasing after a full line would remove its last character
      for (const [i, line] of fitting.entries()) if (line !== shown[i]) text += `\x1b[${i + 1};1H\x1b[K${line}\x1b[0m`
      if (fitting.length < shown.length) text += `\x1b[${fitting.length + 1};1H\x1b[J`
      shown = fitting
      if (text !== '') write(`${begin}${text}${end}`)
    },
    forget() {
      shown = []
    },
    suspend: () => stop(0),
    close() {
      give()
      clearTimeout(late)
      process.off('exit', give)
      for (const [signal, listener] of Object.entries(listeners)) process.off(signal, listener)
      stdin.off('data', typed)
      stdout.off('resize', resized)
      stdin.pause()
    },
  }
}

/** Writes synchronously, so that it works at process exit. Ignores a terminal that is gone. */
function write(text: string): void {
  let bytes = Buffer.from(text)
  for (let tries = 0; bytes.length > 0 && tries < 1000; tries++)
    try {
      bytes = bytes.subarray(writeSync(1, bytes))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
    }
}
