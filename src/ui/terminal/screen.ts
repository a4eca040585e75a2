// SPDX-License-Identifier: Apache-2.0
// A terminal as a whole screen: only lines that changed are written, all at once, and it is given back as it was.
import { writeSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { fail } from '../../errors/errors.ts'

/** Alternate screen, no cursor, no wrapping of lines that are too long, marks around what is pasted. */
const enter = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[2J'
const leave = '\x1b[0m\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l'
/** Terminals that know it show all that is between these at once. */
const begin = '\x1b[?2026h'
const end = '\x1b[?2026l'

export interface Screen {
  readonly rows: number
  readonly columns: number
  /** One text for each line from the top. */
  draw(lines: readonly string[]): void
  /** The next `draw` writes all lines. */
  forget(): void
  /** Gives the terminal back and stops, with all that was started with it, until it is continued: Ctrl-Z. */
  suspend(): void
  /** Gives the terminal back; later calls do nothing. */
  close(): void
}

/** A sequence whose end is still on its way; the key Escape looks the same, so that it waits for a moment. */
const unfinished = /\x1b(?:\[[0-?]*[ -/]*|O)?$/
const escapeDelay = 50
const unfinishedPaste = /\x1b\[200~(?!.*\x1b\[201~)/s

/** @throws OPTION_CONFLICT where a whole screen cannot be shown */
export function checkTerminal(command: string, remedy: string): void {
  const name = `hutch ${command}`
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw fail('OPTION_CONFLICT', { name, why: 'it needs a terminal for its input and output', remedy })
  if (process.env.TERM === 'dumb')
    throw fail('OPTION_CONFLICT', { name, why: 'a terminal of type dumb cannot show a full screen', remedy })
}

/**
 * Takes over the terminal. `typed` gets the input, `resized` a new size; `over` is called when the terminal is gone.
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
  // whoever stopped it, the shell had the terminal meanwhile
  const continued = () => {
    // its own record of the mode is of before
    stdin.setRawMode(false)
    take()
    on.resized()
  }
  const stopped = () => stop(process.pid)
  /** As the terminal would, so that whoever waits for this process stops, too. */
  const stop = (pid: number) => {
    give()
    process.off('SIGTSTP', stopped)
    process.kill(pid, 'SIGTSTP')
    process.on('SIGTSTP', stopped)
    // where nobody could continue it, the kernel does not stop it
    if (!open) continued()
  }
  const listeners = { SIGCONT: continued, SIGTSTP: stopped }
  stdin.on('data', typed)
  stdin.on('end', on.over)
  stdin.on('error', on.over)
  stdout.on('error', on.over)
  stdout.on('resize', resized)
  for (const [signal, listener] of Object.entries(listeners)) process.on(signal, listener)
  // whatever ends the process, the terminal is given back
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
      // erased first: from behind the last column, its character would be
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

/** Restores at once, even if the process is about to end. A missing terminal is not an error. */
function write(text: string): void {
  let bytes = Buffer.from(text)
  for (let tries = 0; bytes.length > 0 && tries < 1000; tries++)
    try {
      bytes = bytes.subarray(writeSync(1, bytes))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
    }
}
