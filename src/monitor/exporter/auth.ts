// SPDX-License-Identifier: Apache-2.0
// Decides which requests are allowed. A request must name an address of this machine (against DNS rebinding), and must not come from
// another site's page. It must contain the token, as a bearer token or as the cookie.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

export interface Gate {
  /** For the URL that is printed; 256 bits. */
  readonly token: string
  isToken(text: string): boolean
  /** Where the page asks for all but itself: a path that nobody else knows, and the only one that the cookie is sent to. */
  readonly base: string
  /** `Set-Cookie` for who has shown the token. */
  cookie(): string
  /** Whether the request may be looked at, without a token: why not. `opens` is one for the page itself, which holds no secret. */
  refuse(headers: IncomingHttpHeaders, kind: { changes: boolean; opens: boolean }): string | undefined
  /** Whether it brings the token. */
  knows(headers: IncomingHttpHeaders): boolean
}

/** Browsers send cookies to all ports of a host, where others may serve: hence the port in its name, and the path. */
export function makeGate(port: number, listening: string): Gate {
  const token = randomBytes(32).toString('base64url')
  const session = randomBytes(32).toString('base64url')
  const base = `/${randomBytes(32).toString('base64url')}`
  const name = `hutch-dashboard-${port}`
  return {
    token,
    isToken: (text) => isSame(text, token),
    base,
    cookie: () => `${name}=${session}; HttpOnly; SameSite=Strict; Path=${base}`,
    refuse(headers, { changes, opens }) {
      const { host, origin } = headers
      if (host === undefined || !namesMachine(host, [listening]))
        return 'the Host header is not an address of this machine; open it by its address, or as localhost'
      if (origin !== undefined && origin !== `http://${host}`) return 'the request comes from another origin'
      const { 'sec-fetch-site': site, 'sec-fetch-mode': mode, 'sec-fetch-dest': destination } = headers
      // such as the link to it in a terminal that is a web page
      const isOpened = opens && mode === 'navigate' && destination === 'document'
      if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isOpened)
        return 'the request comes from another site'
      // a browser always tells where a POST comes from; a program has no cookie
      if (changes && origin === undefined && headers.authorization === undefined) return 'the Origin header is missing'
      return undefined
    },
    knows({ authorization, cookie }) {
      const [, bearer] = /^Bearer ([\w-]+)$/i.exec(authorization ?? '') ?? []
      if (bearer !== undefined && isSame(bearer, token)) return true
      const values = (cookie ?? '').split(/; */).flatMap((pair) => (pair.startsWith(`${name}=`) ? [pair] : []))
      return values.some((pair) => isSame(pair.slice(name.length + 1), session))
    },
  }
}

/** In a time that tells nothing of where they differ. */
function isSame(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash('sha256').update(text).digest())
  return timingSafeEqual(left!, right!)
}

/** Whether a Host header is an address or one of the names. A name can be made to point here by anyone who owns it; an address cannot, nor can localhost. */
export function namesMachine(host: string, names: readonly string[]): boolean {
  const [, six, name] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::\d{1,5})?$/.exec(host) ?? []
  if (six !== undefined) return true
  return name !== undefined && (/^\d{1,3}(\.\d{1,3}){3}$/.test(name) || name === 'localhost' || names.includes(name))
}
