// SPDX-License-Identifier: Apache-2.0
// hutch top: all groups on a whole screen, and what they do now.
import { freeze, holdsMyself, kill, setLimit } from '../cgroup/actions.ts'
import { findPlace } from '../cgroup/place.ts'
import { fail } from '../errors.ts'
import { readHost } from '../host/host.ts'
import { rates } from '../survey/rates.ts'
import { openSurvey } from '../survey/survey.ts'
import { type FlagTable, formatFlags, parseFlags } from './flags.ts'
import { print } from './output.ts'
import { wantsColor } from './print.ts'
import { readInterval } from './stats.ts'
import { type Frame, listHeight } from './top/frame.ts'
import { makeHistory } from './top/history.ts'
import { parseKeys } from './top/keys.ts'
import { makeRows } from './top/rows.ts'
import { openScreen } from './top/screen.ts'
import { type Actions, makeState, press, type State } from './top/state.ts'
import { drawState } from './top/view.ts'

const flags: FlagTable = { interval: { value: 'TIME', help: 'time between two looks (1s)' } }

const usage = `Usage: hutch top [OPTIONS] [GROUP]

What all groups do now, or one and those below it, on a whole screen. The key ? tells of the others.

${formatFlags(flags)}
`

export async function main(args: string[]): Promise<number> {
  const { values, rest } = parseFlags(args, flags, true)
  if (values.help) {
    print(usage)
    return 0
  }
  const interval = readInterval(values.interval?.at(-1))
  if (rest.length > 1) throw fail('OPTION_UNKNOWN', { name: rest[1]!, known: 'hutch top takes one group' })
  const host = readHost()
  const top = rest[0] === undefined ? '/' : findPlace(host, rest[0]).path
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw fail('OPTION_CONFLICT', {
      name: 'hutch top',
      why: 'it needs a terminal for its input and output',
      remedy: 'hutch stats prints tables, and hutch stats --json figures for programs',
    })
  const survey = openSurvey(host)
  try {
    return await show(survey, makeState(top), interval, (path) => holdsMyself(host, path))
  } finally {
    survey.close()
  }
}

/** Until a key or a signal ends it. */
function show(
  survey: ReturnType<typeof openSurvey>,
  state: State,
  interval: number,
  isMine: (path: string) => boolean,
): Promise<number> {
  let before = survey.sample()
  let now = before
  const history = makeHistory()
  const color = wantsColor(process.stdout)
  return new Promise((resolve, reject) => {
    const frame = (): Frame => ({ rows: screen.rows, columns: screen.columns, color })
    const draw = () => {
      screen.draw(drawState(state, { before, now, history }, frame()))
    }
    const look = (full = false) => {
      before = now
      now = survey.sample(full)
      history.add(now, rates(before, now))
      draw()
    }
    const end = (act: () => void) => {
      clearInterval(timer)
      clearTimeout(soon)
      screen.close()
      act()
    }
    /** Whatever goes wrong while it is shown is told on the terminal as it was before. */
    const guarded = (work: () => void) => () => {
      try {
        work()
      } catch (error) {
        end(() => reject(error))
      }
    }
    const actions: Actions = {
      holdsMyself: isMine,
      freeze,
      kill,
      setLimit,
      run(act) {
        act().then(
          ({ said }) => {
            state.message = said
            look(true)
          },
          (error) => end(() => reject(error)),
        )
      },
    }
    const screen = openScreen({
      typed: (text) =>
        guarded(() => {
          for (const key of parseKeys(text)) {
            if (key === 'redraw') screen.forget()
            const what = press(state, key, listHeight(frame()), now, actions)
            if (what === 'quit') return end(() => resolve(0))
            if (what === 'suspend') return screen.suspend()
            state.list = makeRows(before, now, state.choice)
          }
          draw()
        })(),
      resized: guarded(draw),
      over: () => end(() => resolve(0)),
    })
    for (const [signal, number] of [
      ['SIGINT', 2],
      ['SIGTERM', 15],
      ['SIGHUP', 1],
    ] as const)
      process.once(signal, () => end(() => resolve(128 + number)))
    const timer = setInterval(
      guarded(() => look()),
      interval,
    )
    // the first rates come soon
    const soon = setTimeout(
      guarded(() => look()),
      Math.min(interval, 250),
    )
    guarded(draw)()
  })
}
