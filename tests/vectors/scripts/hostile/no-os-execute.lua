-- expect: fails
os.execute("true")
