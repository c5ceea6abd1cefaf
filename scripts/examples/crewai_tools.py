"""A mailbox as CrewAI tools, and a crew of one that answers its mail.

pip install crewai
POSTERN_URL=… POSTERN_KEY=… OPENAI_API_KEY=… python scripts/examples/crewai_tools.py
"""

from __future__ import annotations

import sys

import mail_tools

try:
    from crewai import Agent, Crew, Task
    from crewai.tools import tool
except ImportError:
    sys.exit("this example needs the package crewai: pip install crewai")

TOOLS = [tool(one) for one in mail_tools.TOOLS]


def crew() -> Crew:
    """A crew with one agent, whose one task is the newest mail."""
    secretary = Agent(
        role="Secretary",
        goal="Answer the mail of this inbox, in short and friendly words",
        backstory=mail_tools.PROMPT,
        tools=TOOLS,
    )
    task = Task(
        description="Look at the newest email that was received, and answer it.",
        expected_output="What was asked, and what you answered.",
        agent=secretary,
    )
    return Crew(agents=[secretary], tasks=[task])


if __name__ == "__main__":
    print(crew().kickoff())
