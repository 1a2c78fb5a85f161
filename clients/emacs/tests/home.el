;;; home.el --- What tests share  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; A home of its own for every test, with skills that leave traces and the
;; daemon that lives there; and waiting, which has a deadline.

;;; Code:

(require 'ert)
(require 'open-think)

(defconst home-program (or (getenv "OPEN_THINK_BIN") (executable-find "open-think") "open-think"))

(defconst home-package
  (file-name-directory (directory-file-name (file-name-directory (or load-file-name buffer-file-name)))))

(defconst home-configuration "
[helm]
approval_timeout_ms = 60000

[http]
discover = false

[[skill]]
id = \"read-note\"
description = \"Gives its input back.\"
input_schema = { properties = { name = { type = \"string\" } }, required = [\"name\"] }
dangerous = false
command = [\"/bin/cat\"]

[[skill]]
id = \"write-note\"
description = \"Keeps its input in a file.\"
input_schema = { properties = { text = { type = \"string\" } }, required = [\"text\"] }
command = [\"/usr/bin/tee\", \"-a\", \"HOME/written.jsonl\"]

[[skill]]
id = \"take-a-nap\"
description = \"Says so and takes ten minutes.\"
dangerous = false
command = [\"/bin/sh\", \"-c\", \"echo $$ > HOME/nap; exec sleep 600\"]
timeout_ms = 600000
")

(defconst home-read "call read-note {\"name\":\"quince\"}")
(defconst home-write "call write-note {\"text\":\"medlar\"}")
(defconst home-nap "call take-a-nap {}")

(defvar home-folder nil "The home of the test that runs.")

(defmacro home-test (name &rest body)
  "Define the test NAME, with BODY in a home of its own."
  (declare (indent 1) (debug t))
  `(ert-deftest ,name ()
     (home-call (lambda () ,@body))))

(defun home-call (function &optional environment)
  "Call FUNCTION in a home of its own, with ENVIRONMENT besides."
  (let* ((home-folder (make-temp-file "open-think-" t))
         (process-environment (append environment
                                      (list (concat "HOME=" home-folder) (concat "PATH=" (getenv "PATH")))))
         (open-think-command (list home-program "--stdio"))
         (configuration (expand-file-name ".config/open-think/config.toml" home-folder))
         (jsonrpc-inhibit-debug-on-error t))
    (make-directory (file-name-directory configuration) t)
    (write-region (string-replace "HOME" home-folder home-configuration) nil configuration nil 'silent)
    (unwind-protect
        (funcall function)
      (unwind-protect
          (home-leave)
        (home-run "stop" "--now")
        (delete-directory home-folder t)))))

(defun home-leave ()
  "End the connection and the buffers of sessions."
  (let ((process open-think--process))
    (when (open-think-connected-p)
      (open-think-shutdown))
    (when process
      (home-until "the process is gone" (lambda () (not (process-live-p process))))))
  (mapc #'kill-buffer (open-think--buffers))
  (setq open-think--last-session nil))

(defun home-run (&rest arguments)
  "Run the program with ARGUMENTS, and give what it prints."
  (with-temp-buffer
    ;; That of a buffer may be below a `~' that is elsewhere now.
    (setq default-directory home-folder)
    (apply #'call-process home-program nil t nil arguments)
    (buffer-string)))

(defun home-until (what condition)
  "Wait until CONDITION, a function, holds; WHAT says what that means."
  (let ((deadline (+ (float-time) 30)) value)
    (while (not (setq value (funcall condition)))
      (when (> (float-time) deadline)
        (ert-fail (list what (mapcar #'home-text (open-think--buffers)))))
      (accept-process-output nil 0.02))
    value))

(defun home-text (&optional buffer)
  "The text of BUFFER, or of the session that commands are about."
  (with-current-buffer (or buffer (open-think--current))
    (buffer-substring-no-properties (point-min) (point-max))))

(defun home-until-shown (text &optional buffer)
  "Wait until TEXT is in BUFFER, or in the current session's."
  (home-until text (lambda () (string-search text (home-text buffer)))))

(defun home-until-idle (&optional buffer)
  "Wait until the turns that were asked for in BUFFER have ended."
  (with-current-buffer (or buffer (open-think--current))
    (home-until "the turn ends" (lambda () (and (eq t open-think--attached) (zerop open-think--running))))))

(defun home-ask (prompt &optional mode)
  "Ask PROMPT in MODE and wait for the end."
  (with-current-buffer (open-think--current)
    (setq open-think--mode (or mode "selective")))
  (open-think-ask prompt)
  (home-until-idle))

(defun home-notes ()
  "What write-note was given so far."
  (let ((file (expand-file-name "written.jsonl" home-folder)))
    (if (file-exists-p file)
        (with-temp-buffer (insert-file-contents file) (string-trim (buffer-string)))
      "")))

(defun home-count (text)
  "How often TEXT is in the current session's buffer."
  (with-temp-buffer
    (insert (home-text (open-think--buffer (or open-think--last-session open-think-default-session))))
    (how-many (regexp-quote text) (point-min) (point-max))))

(defmacro home-messages (&rest body)
  "Evaluate BODY and give the messages that were shown."
  (declare (indent 0) (debug t))
  `(let (told)
     (cl-letf (((symbol-function 'message)
                (lambda (format &rest arguments)
                  (when format
                    (push (apply #'format-message format arguments) told)))))
       ,@body)
     (nreverse told)))

(provide 'home)
;;; home.el ends here
