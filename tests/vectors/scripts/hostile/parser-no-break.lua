-- expect: malformed
break
