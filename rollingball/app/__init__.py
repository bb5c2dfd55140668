"""The program around the library: the command line, scenes, folders of results, studies, the doctor and the paper."""
