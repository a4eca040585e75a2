// SPDX-License-Identifier: Apache-2.0
// A recording on the whole screen of hutch top, with keys that move through its time.
import { formatTime } from '../../run/why/memory.ts'
import { rates } from '../../survey/rates.ts'
import { wantsColor } from '../print.ts'
import { type Frame, listHeight } from '../top/frame.ts'
import { type History, kept, makeHistory } from '../top/history.ts'
import { type Key, parseKeys } from '../top/keys.ts'
import { makeRows } from '../top/rows.ts'
import { openScreen } from '../top/screen.ts'
import { type Actions, makeState, press } from '../top/state.ts'
import { drawState, type Words } from '../top/view.ts'
import { acceptedMoments, makeCursor, parseMoment } from './cursor.ts'
import type { Recording } from './recording.ts'

const speeds = [1, 2, 5, 10, 30, 60, 300, 1800]
/** Milliseconds between two steps on the screen, when looks are closer than that. */
const tick = 250

const helpLines = `p                        pause, or play on
, .                      one look back, one on
[ ] { }                  a minute back or on, an hour
< >                      to the first look, to the last
+ -                      faster, slower
g                        go to a time`.split('\n')
const help =
  'p pause  , . step  [ ] minute  { } hour  < > ends  + - speed  g go to  ⏎ details  s sort  / filter  ? help  q quit'
const detailsHelp = 'esc back  p pause  , . step  [ ] minute  { } hour  + - speed  g go to  q quit'

/** A recording cannot be changed: the keys for that are never given on. */
const noActions: Actions = {
  holdsMyself: () => false,
  freeze: async () => ({ done: false, said: '' }),
  kill: async () => ({ done: false, said: '' }),
  setLimit: async () => ({ done: false, said: '' }),
  run: () => {},
}

/** Until a key or a signal ends it. @throws RECORD_EMPTY, RECORD_INVALID */
export function play(recording: Recording, path: string, top: string): Promise<number> {
  const cursor = makeCursor(recording, path)
  const end = recording.spans.reduce((latest, span) => Math.max(latest, span.end), 0)
  const state = makeState(top)
  const color = wantsColor(process.stdout)
  let history: History = makeHistory()
  let playing = true
  let speed = 0
  /** Of the recording, at which it is. */
  let time = 0
  let typing: string | undefined

  const remember = () => history.add(cursor.now, rates(cursor.before, cursor.now))
  const seek = (to: number) => {
    cursor.seek(to)
    let back = 0
    while (back < kept - 1 && cursor.move(-1)) back++
    history = makeHistory()
    remember()
    for (; back > 0 && cursor.move(1); back--) remember()
    time = cursor.now.time
  }
  const step = (looks: 1 | -1) => {
    playing = false
    if (looks === 1 && cursor.move(1)) remember()
    else if (looks === -1 && cursor.move(-1)) seek(cursor.now.time)
    time = cursor.now.time
  }
  /** Plays on for so many milliseconds. A time without looks is skipped. */
  const advance = (ms: number) => {
    time += ms * speeds[speed]!
    for (;;) {
      const { now, step } = cursor
      if (!cursor.move(1)) {
        playing = false
        return
      }
      const next = cursor.now.time
      if (next > time && next - now.time <= 10 * step) {
        cursor.move(-1)
        return
      }
      time = Math.max(time, next)
      remember()
    }
  }

  /** Whether the key was for the time. */
  const pressTime = (key: Key): boolean => {
    const jumps: { [key: Key]: number } = { '[': -60_000, ']': 60_000, '{': -3_600_000, '}': 3_600_000 }
    if (key === 'p') playing = !playing
    else if (key === '.') step(1)
    else if (key === ',') step(-1)
    else if (jumps[key] !== undefined) seek(time + jumps[key])
    else if (key === '<') seek(0)
    else if (key === '>') seek(end)
    else if (key === '+' || key === '=') speed = Math.min(speeds.length - 1, speed + 1)
    else if (key === '-') speed = Math.max(0, speed - 1)
    else if (key === 'g') typing = ''
    else if (key === 'f' || key === 'k' || key === 'l')
      state.message = 'this is a recording: nothing in it can be changed'
    else return false
    return true
  }
  const typeTime = (key: Key) => {
    if (key === 'escape') typing = undefined
    else if (key === 'backspace') typing = typing!.slice(0, -1)
    else if (key === 'enter') {
      const moment = parseMoment(typing!, end)
      if (moment === undefined) state.message = `give ${acceptedMoments}`
      else seek(moment)
      typing = undefined
    } else if ([...key].length === 1) typing = (typing! + key).slice(0, 40)
  }

  return new Promise((resolve, reject) => {
    const frame = (): Frame => ({ rows: screen.rows, columns: screen.columns, color })
    const words = (): Words => ({
      title: `hutch replay  ${formatTime(cursor.now.time)}  ${playing ? `${speeds[speed]}×` : 'paused'}`,
      help,
      detailsHelp,
      footer: typing === undefined ? undefined : `go to (${acceptedMoments}): ${typing}▏`,
      helpLines,
    })
    const draw = () =>
      screen.draw(drawState(state, { before: cursor.before, now: cursor.now, history }, frame(), words()))
    const finish = (act: () => void) => {
      clearInterval(timer)
      screen.close()
      act()
    }
    const guarded = (work: () => void) => () => {
      try {
        work()
      } catch (error) {
        finish(() => reject(error))
      }
    }
    const screen = openScreen({
      typed: (text) =>
        guarded(() => {
          for (const key of parseKeys(text)) {
            if (key === 'redraw') screen.forget()
            const steers = state.mode.kind === 'list' || state.mode.kind === 'details'
            if (typing !== undefined && key !== 'interrupt') {
              typeTime(key)
              continue
            }
            state.message = steers ? '' : state.message
            if (steers && pressTime(key)) continue
            const what = press(state, key, listHeight(frame()), cursor.now, noActions)
            if (what === 'quit') return finish(() => resolve(0))
            if (what === 'suspend') return screen.suspend()
            state.list = makeRows(cursor.before, cursor.now, state.choice)
          }
          draw()
        })(),
      resized: guarded(draw),
      over: () => finish(() => resolve(0)),
    })
    for (const [signal, number] of [
      ['SIGINT', 2],
      ['SIGTERM', 15],
      ['SIGHUP', 1],
    ] as const)
      process.once(signal, () => finish(() => resolve(128 + number)))
    const timer = setInterval(
      guarded(() => {
        if (!playing) return
        advance(tick)
        draw()
      }),
      tick,
    )
    guarded(() => {
      seek(0)
      draw()
    })()
  })
}
