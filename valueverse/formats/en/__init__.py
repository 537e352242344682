"""How days and instants read where Django formats them: ISO, as everywhere in the back office."""
