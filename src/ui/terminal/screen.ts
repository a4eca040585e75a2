// SPDX-License-Identifier: Apache-2.0
// Draws a full-screen page on a terminal. Writes only lines that changed, in a single write, and restores the terminal
// at the end.
import { writeSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { fail } from '../../errors/errors.ts'

/** Sequences for the alternate screen, no cursor, no line wrap and bracketed paste. */
const enter = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[2J'
const leave = '\x1b[0m\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l'
/** Starts a synchronized update, which supporting terminals show only when it is complete. */
const begin = '\x1b[?2026h'
const end = '\x1b[?2026l'

interface Screen {
  readonly rows: number
  readonly columns: number
  /** Draws lines from the top of the screen. */
  draw(lines: readonly string[]): void
  /** Forgets what is on the screen, so that the next `draw` writes all lines. */
  forget(): void
  /** Restores the terminal, then stops the process group as Ctrl-Z does, until it is continued. */
  suspend(): void
  /** Restores the terminal. Further calls do nothing. */
  close(): void
}

/**
 * Matches an incomplete key sequence at the end of the input. It can also be the Escape key, which is decided after a
 * short wait.
 */
const unfinished = /\x1b(?:\[[0-?]*[ -/]*|O)?$/
const escapeDelay = 50
const unfinishedPaste = /\x1b\[200~(?!.*\x1b\[201~)/s

/** Checks that stdin and stdout are a terminal that can show a full screen. @throws OPTION_CONFLICT if not */
export function checkTerminal(command: string, remedy: string): void {
  const name = `hutch ${command}`
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw fail('OPTION_CONFLICT', { name, why: 'it needs a terminal for its input and output', remedy })
  if (process.env.TERM === 'dumb')
    throw fail('OPTION_CONFLICT', { name, why: 'a terminal of type dumb cannot show a full screen', remedy })
}

/**
 * Opens the full screen. `typed` is called with input, `resized` when the size has changed, and `over` when the
 * terminal is closed.
 */
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
  // draw everything again: while this process was stopped, the shell has used the terminal
  const continued = () => {
    // the shell has changed the mode, so make Node set it again
    stdin.setRawMode(false)
    take()
    on.resized()
  }
  const stopped = () => stop(process.pid)
  /** Stops the process group as the terminal does on Ctrl-Z. A parent that waits for this process therefore stops, too. */
  const stop = (pid: number) => {
    give()
    process.off('SIGTSTP', stopped)
    process.kill(pid, 'SIGTSTP')
    process.on('SIGTSTP', stopped)
    // the kernel does not stop an orphaned process group, so continue at once
    if (!open) continued()
  }
  const listeners = { SIGCONT: continued, SIGTSTP: stopped }
  stdin.on('data', typed)
  stdin.on('end', on.over)
  stdin.on('error', on.over)
  stdout.on('error', on.over)
  stdout.on('resize', resized)
  for (const [signal, listener] of Object.entries(listeners)) process.on(signal, listener)
  // restore the terminal, however the process ends
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
      // erase the line before writing it: erasing after a full line would remove the line's last character
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

/**
 * Writes synchronously, because asynchronous writes are lost at the end of the process. Ignores errors of a terminal
 * that is closed.
 */
function write(text: string): void {
  let bytes = Buffer.from(text)
  for (let tries = 0; bytes.length > 0 && tries < 1000; tries++)
    try {
      bytes = bytes.subarray(writeSync(1, bytes))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
    }
}
