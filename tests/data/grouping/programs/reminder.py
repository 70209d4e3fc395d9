"""Waits for an answer that does not come (asyncio)."""

import asyncio


async def answer(number):
    await asyncio.sleep(60)


async def remind(number):
    return await asyncio.wait_for(answer(number), timeout=0.01)


def run_timeout(rng):
    """Nobody answers."""
    return asyncio.run(remind(rng.randrange(99)))
