import { invalidArgument, OssError } from '../errors.ts'

/** One action of a processing with its parameters, such as `resize,m_fixed,w_100`. */
export interface Action {
  readonly name: string
  readonly parameters: readonly string[]
}

/** What a request wants done: an action on a video, or one after the other on an image. */
export interface Instruction {
  readonly kind: string
  readonly actions: readonly Action[]
}

/** Reads `image/resize,w_100/rotate,90`. https://help.aliyun.com/zh/oss/user-guide/overview-17 */
export function parseProcess(text: string): Instruction {
  const [kind = '', ...actions] = text.split('/')
  return {
    kind,
    actions: actions
      .filter((action) => action !== '')
      .map((action) => {
        const [name = '', ...parameters] = action.split(',')
        return { name, parameters: parameters.filter((parameter) => parameter !== '') }
      }),
  }
}

/** The named parameters of an action, such as `w_100`; those that nobody asks for are ignored, as the service does. */
export class ActionParameters {
  private readonly action: Action
  private readonly values: ReadonlyMap<string, string>

  constructor(action: Action) {
    this.action = action
    this.values = new Map(
      action.parameters.map((parameter) => {
        const [, name = '', value = ''] = /^([^_]*)_?(.*)$/s.exec(parameter) ?? []
        return [name, value]
      }),
    )
  }

  text(name: string): string | undefined {
    return this.values.get(name)
  }

  integer(name: string, min: number, max: number): number | undefined {
    const value = this.values.get(name)
    return value === undefined ? undefined : readInteger(name, value, min, max)
  }

  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    const value = this.values.get(name)
    const chosen = choices.find((choice) => choice === value)
    if (value !== undefined && chosen === undefined) throw invalidValue(name, value)
    return chosen
  }

  /** `FF8800` as `#FF8800`. */
  color(name: string): string | undefined {
    const value = this.values.get(name)
    if (value !== undefined && !/^[0-9a-f]{6}$/i.test(value)) throw invalidValue(name, value)
    return value && `#${value}`
  }

  /** Text in the base64 of URLs, or the other one. */
  decoded(name: string): string | undefined {
    const value = this.values.get(name)
    if (value === undefined) return undefined
    if (!/^[\w+/-]+={0,2}$/.test(value)) throw new OssError('BadRequest', {}, 'Input is not base64 decoding.')
    return Buffer.from(value, 'base64').toString()
  }

  missing(what: string): OssError {
    return new OssError('MissingArgument', { ArgumentName: what }, `The ${this.action.name} needs ${what}.`)
  }
}

/** The one unnamed parameter of an action such as `rotate,90`. */
export function onlyInteger({ name, parameters }: Action, min: number, max: number): number {
  const [value, ...others] = parameters
  if (value === undefined || others.length > 0) throw invalidValue(name, parameters.join(','))
  return readInteger(name, value, min, max)
}

function readInteger(name: string, value: string, min: number, max: number): number {
  const number = /^-?\d{1,6}$/.test(value) ? Number(value) : Number.NaN
  if (number >= min && number <= max) return number
  throw invalidValue(name, value)
}

/** Refuses the value of a parameter. */
export function invalidValue(name: string, value: string): OssError {
  const shown = value.slice(0, 64)
  return invalidArgument(name, shown, `The value: ${shown} of parameter: ${name} is invalid.`)
}
