// SPDX-License-Identifier: Apache-2.0
// Decides which HTTP requests to the dashboard are allowed. A request must name an address of this machine (against DNS
// rebinding), and must not come from another site's page. It must contain the token, as a bearer token or in the
// cookie.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

export interface Gate {
  /** The secret token in the printed URL, of 256 random bits. */
  readonly token: string
  isToken(text: string): boolean
  /** Secret path prefix of every URL except that of the page itself. The browser sends the cookie only to URLs below it. */
  readonly base: string
  /** Returns the `Set-Cookie` value for a client that has sent the token. */
  cookie(): string
  /**
   * Returns the reason if a request is refused even with the token; undefined if it is allowed. `opens` is true for the
   * page itself, which contains no secret.
   */
  refuse(headers: IncomingHttpHeaders, kind: { changes: boolean; opens: boolean }): string | undefined
  /** Returns true if the request contains the token. */
  knows(headers: IncomingHttpHeaders): boolean
}

/**
 * Creates the access checks for a port. Browsers send a cookie to all ports of a host. The cookie's name therefore
 * contains the port, and the cookie is limited to a secret path.
 */
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
      // for example, a user follows a link to the dashboard in a terminal that itself is a web page
      const isOpened = opens && mode === 'navigate' && destination === 'document'
      if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isOpened)
        return 'the request comes from another site'
      // a browser sends Origin with every POST; a program that is not a browser sends no cookie
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

/** Compares two strings in constant time, so that the duration does not reveal a secret. */
function isSame(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash('sha256').update(text).digest())
  return timingSafeEqual(left!, right!)
}

/**
 * Returns true if a Host header is an IP address, localhost or one of `names`. An attacker's domain name may also point
 * to this machine, and is refused (DNS rebinding).
 */
export function namesMachine(host: string, names: readonly string[]): boolean {
  const [, six, name] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::\d{1,5})?$/.exec(host) ?? []
  if (six !== undefined) return true
  return name !== undefined && (/^\d{1,3}(\.\d{1,3}){3}$/.test(name) || name === 'localhost' || names.includes(name))
}
