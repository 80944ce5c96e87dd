/** Takes down what went up, the last first, once. */
export class Teardown {
  private readonly steps: (() => Promise<void>)[] = []

  add(step: () => Promise<void>): void {
    this.steps.push(step)
  }

  up<T extends { close(): Promise<void> }>(service: T): T {
    this.add(() => service.close())
    return service
  }

  async close(): Promise<void> {
    for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) await step()
  }
}
