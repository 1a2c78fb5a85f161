;;; open-think-watch.el --- Buffers that watch sessions  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; A session's buffer watches its session in the daemon: it shows what happens
;; there, whoever caused it, and each event once, also when the connection was
;; lost in between.  How events look is in open-think-render.el.

;;; Code:

(require 'open-think-connection)
(require 'open-think-render)

(defcustom open-think-history-length 100
  "How many earlier messages of a session are shown."
  :type 'integer
  :group 'open-think)

(defvar open-think-watched-functions nil
  "Functions without arguments, called in a buffer whose session is watched now.")

(defvar-local open-think--session nil
  "The name of this buffer's session.")

(defvar-local open-think--attached nil
  "Whether the session is watched: nil, `waiting', `loading' or t.")

(defvar-local open-think--sequence nil
  "The number of the last event that was shown; nil before the first look.")

(defvar-local open-think--early nil
  "Events that came while earlier messages were being read, the last one first.")

(defvar-local open-think--then nil
  "What to do when the session is watched, the last one first.")

(defun open-think--buffer-of (session)
  "The buffer of SESSION, or nil."
  (seq-find (lambda (buffer) (equal session (buffer-local-value 'open-think--session buffer)))
            (buffer-list)))

(defun open-think--buffers ()
  "The buffers of sessions."
  (seq-filter (lambda (buffer) (buffer-local-value 'open-think--session buffer)) (buffer-list)))

(defun open-think--watch (buffer then)
  "Call THEN in BUFFER when its session is watched."
  (with-current-buffer buffer
    (if (and (eq open-think--attached t) (open-think--ready-p))
        (funcall then)
      (push then open-think--then)
      (if (open-think--ready-p)
          (open-think--attach buffer)
        (unless open-think--attached
          (setq open-think--attached 'waiting))
        (condition-case failure
            (open-think--connect)
          (error (setq open-think--attached nil
                       open-think--then nil)
                 (signal (car failure) (cdr failure))))))))

(defun open-think--attach-all ()
  "Watch all sessions that have a buffer, after a new connection."
  (dolist (buffer (open-think--buffers))
    (with-current-buffer buffer
      (setq open-think--attached 'waiting))
    (open-think--attach buffer)))

(defun open-think--attach (buffer)
  "Watch the session of BUFFER: from the event after the last one shown."
  (with-current-buffer buffer
    (unless (memq open-think--attached '(loading t))
      (let ((again open-think--sequence))
        (setq open-think--attached 'loading)
        (open-think--request
         "conductor.subscribe"
         `(:sessionName ,open-think--session ,@(when again (list :afterSeq again)))
         (open-think--in buffer
           (lambda (result)
             (let ((last (plist-get result :seq)))
               (if (and again (<= again last))
                   (open-think--begin)
                 ;; The first look, or a session that was begun anew.
                 (setq open-think--sequence last)
                 (open-think--read-history)))))
         (open-think--in buffer #'open-think--not-attached))))))

(defun open-think--in (buffer function)
  "A function of one argument, which is FUNCTION in BUFFER while that lives."
  (lambda (argument)
    (when (buffer-live-p buffer)
      (with-current-buffer buffer
        (funcall function argument)))))

(defun open-think--read-history ()
  "Show earlier messages and held actions, then what has happened since."
  (let* ((buffer (current-buffer))
         (session open-think--session)
         (new (lambda (failure)
                ;; A session begins with its first message.
                (if (equal (plist-get (plist-get failure :data) :code) "E_BAD_REQUEST")
                    (open-think--begin)
                  (open-think--not-attached failure)))))
    (open-think--request
     "sessions.messages" `(:sessionName ,session :limit ,open-think-history-length)
     (open-think--in buffer
       (lambda (history)
         (open-think--request
          "sessions.get" `(:sessionName ,session)
          (open-think--in buffer
            (lambda (detail)
              (open-think--render-history (plist-get history :messages) (plist-get detail :heldActions))
              (open-think--begin)))
          (open-think--in buffer new))))
     (open-think--in buffer new))))

(defun open-think--begin ()
  "The session is watched: show what came early, and do what waits for it."
  (let ((early (nreverse open-think--early))
        (then (nreverse open-think--then)))
    (setq open-think--attached t
          open-think--early nil
          open-think--then nil)
    (mapc #'open-think--take early)
    (run-hooks 'open-think-watched-functions)
    (mapc #'funcall then)))

(defun open-think--not-attached (failure)
  "The session cannot be watched, because of FAILURE."
  (setq open-think--attached nil
        open-think--early nil
        open-think--then nil)
  (unless (open-think--lost-p failure)
    (open-think--render-error failure))
  (open-think--report failure))

(defun open-think--unwatch ()
  "Have the session of this buffer watched no longer."
  (when (and open-think--attached (open-think--ready-p))
    (open-think--request "conductor.unsubscribe" `(:sessionName ,open-think--session) nil #'ignore)))

(defun open-think--lost-everywhere (sentence)
  "Write into each session's buffer that the connection is gone: SENTENCE."
  (dolist (buffer (open-think--buffers))
    (with-current-buffer buffer
      (when open-think--attached
        (open-think--render-note sentence))
      (setq open-think--attached nil
            open-think--early nil
            open-think--then nil))))

(defun open-think--event (params)
  "Deal with PARAMS of a `conductor.event'."
  (when-let ((buffer (open-think--buffer-of (plist-get params :sessionName))))
    (with-current-buffer buffer
      (if (eq open-think--attached t)
          (open-think--take params)
        (push params open-think--early)))))

(defun open-think--take (params)
  "Show the event in PARAMS, unless that was done before."
  (let ((sequence (plist-get params :seq))
        (event (plist-get params :event)))
    (when (> sequence (or open-think--sequence 0))
      (setq open-think--sequence sequence)
      (if (equal (plist-get event :kind) "resync")
          (open-think--reload)
        (open-think--render-event (plist-get params :turnId) event)))))

(defun open-think--reload (&rest _)
  "Read the session anew."
  (setq open-think--attached nil
        open-think--sequence nil)
  (open-think--render-clear)
  (open-think--watch (current-buffer) #'ignore))

(add-hook 'open-think-connected-functions #'open-think--attach-all)
(add-hook 'open-think-lost-functions #'open-think--lost-everywhere)
(add-hook 'open-think-event-functions #'open-think--event)

(provide 'open-think-watch)
;;; open-think-watch.el ends here
