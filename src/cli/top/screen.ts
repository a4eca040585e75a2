// SPDX-License-Identifier: Apache-2.0
// A terminal as a whole screen: only lines that changed are written, all at once, and it is given back as it was.
import { writeSync } from 'node:fs'

/** Alternate screen, no cursor, no wrapping of lines that are too long. */
const enter = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J'
const leave = '\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l'
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
  /** Gives the terminal back until the process is continued: Ctrl-Z. */
  suspend(): void
  /** Gives the terminal back; later calls do nothing. */
  close(): void
}

/** Takes the terminal over. `typed` gets what is typed, `resized` is told of another size, `over` that it is gone. */
export function openScreen(on: { typed: (text: string) => void; resized: () => void; over: () => void }): Screen {
  const { stdin, stdout } = process
  let shown: string[] = []
  let open = false
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
  const typed = (data: Buffer) => on.typed(data.toString())
  const resized = () => {
    shown = []
    on.resized()
  }
  const continued = () => {
    take()
    on.resized()
  }
  stdin.on('data', typed)
  stdin.on('end', on.over)
  stdin.on('error', on.over)
  stdout.on('error', on.over)
  stdout.on('resize', resized)
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
      // erased first: from behind the last column, its character would be
      for (const [i, line] of lines.entries()) if (line !== shown[i]) text += `\x1b[${i + 1};1H\x1b[K${line}\x1b[0m`
      if (lines.length < shown.length) text += `\x1b[${lines.length + 1};1H\x1b[J`
      shown = [...lines]
      if (text !== '') write(`${begin}${text}${end}`)
    },
    forget() {
      shown = []
    },
    suspend() {
      give()
      process.once('SIGCONT', continued)
      process.kill(process.pid, 'SIGSTOP')
    },
    close() {
      give()
      process.off('exit', give)
      process.off('SIGCONT', continued)
      stdin.off('data', typed)
      stdout.off('resize', resized)
      stdin.pause()
    },
  }
}

/** At once, also when the process is about to end. A terminal that is gone is no error. */
function write(text: string): void {
  let bytes = Buffer.from(text)
  for (let tries = 0; bytes.length > 0 && tries < 1000; tries++)
    try {
      bytes = bytes.subarray(writeSync(1, bytes))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
    }
}
